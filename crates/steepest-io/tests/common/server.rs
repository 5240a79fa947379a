//! A server that misbehaves: what it does with a file is the folder that the file is asked for in.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// Serves until the test ends.
pub struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Serves these files, and `bomb` in the place of any.
    pub fn new(files: Vec<(String, Vec<u8>)>, bomb: Vec<u8>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, files) = (asked.clone(), Arc::new(HashMap::from_iter(files)));
        spawn(move || {
            for stream in listener.incoming() {
                let (log, files, bomb) = (log.clone(), files.clone(), bomb.clone());
                // A client that has gone away makes writing fail.
                spawn(move || drop(stream.and_then(|stream| answer(stream, &log, &files, &bomb))));
            }
        });
        Self { port, asked }
    }

    /// The mirror that behaves so.
    pub fn mirror(&self, behaviour: &str) -> String {
        format!("http://127.0.0.1:{}/{behaviour}/", self.port)
    }

    /// The paths that were asked for, since the last time.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// A mirror where nobody listens.
pub fn nobody() -> String {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("http://127.0.0.1:{port}/")
}

fn answer(
    mut stream: TcpStream,
    log: &Mutex<Vec<String>>,
    files: &HashMap<String, Vec<u8>>,
    bomb: &[u8],
) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap().to_string();
    log.lock().unwrap().push(path.clone());
    let (behaviour, name) = path.trim_start_matches('/').split_once('/').unwrap();
    let file = &files[name];
    let half = &file[..file.len() / 2];
    let head = |length: usize| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    let whole = |body: &[u8]| [head(body.len()).as_slice(), body].concat();
    let status = |line: &str| format!("HTTP/1.1 {line}\r\nContent-Length: 4\r\n\r\nwhat").into_bytes();
    let moved = |to: String| {
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
    };
    match behaviour {
        "good" => stream.write_all(&whole(file)),
        "moved" => stream.write_all(&moved(format!("/good/{name}"))),
        "repacked" => {
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(file.as_slice()).read_to_end(&mut plain)?;
            let builder = flate2::GzBuilder::new().filename("another");
            let mut encoder = builder.write(Vec::new(), flate2::Compression::none());
            encoder.write_all(&plain)?;
            stream.write_all(&whole(&encoder.finish()?))
        }
        // Slowly, but never silent for long.
        "slow" => {
            stream.write_all(&head(file.len()))?;
            file.chunks(file.len() / 7).try_for_each(|chunk| {
                sleep(Duration::from_millis(120));
                stream.write_all(chunk)
            })
        }
        "cut" => stream.write_all(&[head(file.len()).as_slice(), half].concat()),
        "cut-unannounced" => stream.write_all(&[b"HTTP/1.0 200 OK\r\n\r\n", half].concat()),
        "hangs-up" => Ok(()),
        "mute" => read_until_gone(stream),
        "stalls" => {
            stream.write_all(&[head(file.len()).as_slice(), half].concat())?;
            read_until_gone(stream)
        }
        "drips" => {
            stream.write_all(&head(1000))?;
            loop {
                stream.write_all(&[0x1f])?;
                sleep(Duration::from_millis(20));
            }
        }
        "forbids" => stream.write_all(&status("403 Forbidden")),
        "fails" => stream.write_all(&status("500 Internal Server Error")),
        "loops" => stream.write_all(&moved(path.clone())),
        "lies" => {
            let mut other = file.clone();
            // In the packed bytes' own checksum.
            let at = other.len() - 8;
            other[at] ^= 1;
            stream.write_all(&whole(&other))
        }
        "mixes-up" => {
            let other = files.iter().find(|(other, _)| *other != name).unwrap().1;
            stream.write_all(&whole(other))
        }
        "page" => stream.write_all(&whole(b"<html>Sign in</html>")),
        "empty" => stream.write_all(&whole(b"")),
        "announces" => stream.write_all(&head(1 << 40)),
        "endless" => {
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n")?;
            loop {
                stream.write_all(&[0x1f; 1 << 12])?;
            }
        }
        "bomb" => stream.write_all(&whole(bomb)),
        other => panic!("no behaviour {other}"),
    }
}

/// Says nothing until the client hangs up.
fn read_until_gone(mut stream: TcpStream) -> std::io::Result<()> {
    stream.read_to_end(&mut Vec::new()).map(drop)
}
