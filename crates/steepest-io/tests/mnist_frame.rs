//! Images of any size, brought to a model's input.

use steepest_io::{GreyImage, to_mnist_frame};

#[test]
fn images_are_brought_to_the_frame_of_mnist() {
    // A bar of 30 x 90 in light paper of 200 x 120, a little noise, and a heavy foot.
    let (height, width) = (200, 120);
    let is_ink = |y: usize, x: usize| (40..130).contains(&y) && (70..100).contains(&x);
    let draw = |paper: u8, ink: u8, noise: u8| GreyImage {
        height,
        width,
        pixels: (0..height * width)
            .map(|i| match is_ink(i / width, i % width) {
                true => ink,
                false => paper + (i * 7 % 11 == 0) as u8 * noise,
            })
            .collect(),
    };
    let (frame, framing) = to_mnist_frame(&draw(230, 30, 20), 28).unwrap();
    let text = "120 x 200, inverted (dark ink on light), ink 30 x 90 scaled to 7 x 20, centred";
    assert_eq!(framing.to_string(), text);
    // Its centre of mass, at 9.5 and 3, belongs at 14: by 4.5, rounded up, and by 11.
    let expected: Vec<u8> = (0..784)
        .map(|i| if (5..25).contains(&(i / 28)) && (11..18).contains(&(i % 28)) { 255 } else { 0 })
        .collect();
    assert_eq!(frame, expected);
    let (light, framing) = to_mnist_frame(&draw(20, 220, 10), 28).unwrap();
    assert_eq!((light, framing.to_string().contains("inverted")), (frame, false));

    // Grey where a pixel of the frame covers ink in part: of four pixels a corner of this ring has three, a side two.
    let blank = GreyImage { height: 42, width: 42, pixels: vec![0; 42 * 42] };
    let mut ring = blank.clone();
    for (y, x) in (1..41).flat_map(|i| [(1, i), (40, i), (i, 1), (i, 40)]) {
        ring.pixels[y * 42 + x] = 200;
    }
    let (frame, framing) = to_mnist_frame(&ring, 28).unwrap();
    assert!(framing.to_string().ends_with("ink 40 x 40 scaled to 20 x 20, centred"), "{framing}");
    let corner = [(5, 5), (5, 6), (6, 5), (6, 6)].map(|(y, x)| frame[y * 28 + x]);
    assert_eq!(corner, [255, 170, 170, 0]);
    assert!(to_mnist_frame(&blank, 28).unwrap_err().to_string().contains("42 x 42 pixels without ink"));

    // Of the model's size and dark at the border: as it is. Light at the border: framed.
    let mut own = GreyImage { height: 28, width: 28, pixels: vec![3; 784] };
    own.pixels[300] = 250;
    assert_eq!(to_mnist_frame(&own, 28).unwrap().0, own.pixels);
    own.pixels.iter_mut().for_each(|pixel| *pixel = 255 - *pixel);
    assert_ne!(to_mnist_frame(&own, 28).unwrap().0, own.pixels);
}
