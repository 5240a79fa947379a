//! burn with its CPU back end flex.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;
use burn::module::Param;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::{Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, GradientsParams, SgdConfig};
use burn::prelude::*;
use burn::tensor::activation::{relu, softmax};
use steepest_rust_peers::{Call, Job, Layers, MOMENTUM, Train, serve};

type Candle = candle_core::Tensor;

#[derive(Module, Debug)]
struct Mlp {
    layers: Vec<Linear>,
}

impl Mlp {
    fn new(start: &Layers, device: &Device) -> Result<Self> {
        let layer = |(w, b): &(Candle, Candle)| {
            let (n_out, n_in) = w.dims2()?;
            let mut linear = LinearConfig::new(n_in, n_out).init(device);
            linear.weight = Param::from_data(numbers(&w.t()?, [n_in, n_out])?, device);
            linear.bias = Some(Param::from_data(numbers(b, [n_out])?, device));
            Ok(linear)
        };
        Ok(Self { layers: start.iter().map(layer).collect::<Result<_>>()? })
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (last, hidden) = self.layers.split_last().expect("a layer");
        last.forward(hidden.iter().fold(x, |a, layer| relu(layer.forward(a))))
    }

    /// As candle's tensors.
    fn layers(&self) -> Result<Layers> {
        let to_candle = |data: TensorData, shape: &[usize]| -> Result<Candle> {
            let values = data.try_to_vec::<f32>().expect("f32");
            Ok(Candle::from_vec(values, shape, &candle_core::Device::Cpu)?)
        };
        let layer = |layer: &Linear| {
            let [n_in, n_out] = layer.weight.dims();
            let weight = to_candle(layer.weight.val().into_data(), &[n_in, n_out])?.t()?.contiguous()?;
            let bias = layer.bias.as_ref().expect("biases").val().into_data();
            Ok((weight, to_candle(bias, &[n_out])?))
        };
        self.layers.iter().map(layer).collect()
    }
}

fn numbers<const N: usize>(tensor: &Candle, shape: [usize; N]) -> Result<TensorData> {
    Ok(TensorData::new(tensor.flatten_all()?.to_vec1::<f32>()?, shape))
}

fn whole_numbers(tensor: &Candle, device: &Device) -> Result<Tensor<1, Int>> {
    let values: Vec<i32> = tensor.to_vec1::<u32>()?.into_iter().map(|value| value as i32).collect();
    let n = values.len();
    Ok(Tensor::from_data(TensorData::new(values, [n]), device))
}

fn trainer(job: &Job) -> Result<Train> {
    let device = Device::flex().autodiff();
    let (x, y) = job.rows("train")?;
    let x = Tensor::<2>::from_data(numbers(&x, x.dims2()?.into())?, &device);
    let y = whole_numbers(&y, &device)?;
    let batches =
        job.batches()?.iter().map(|rows| whole_numbers(rows, &device)).collect::<Result<Vec<_>>>()?;
    let (start, adam, lr) = (job.start()?, job.work.optimizer == "adam", job.work.lr);
    let loss = CrossEntropyLossConfig::new().init(&device);
    Ok(Box::new(move |steps| {
        let mut mlp = Mlp::new(&start, &device)?;
        let momentum = MomentumConfig { momentum: MOMENTUM, dampening: 0.0, nesterov: false };
        let mut optimizer = if adam {
            AdamConfig::new().with_epsilon(1e-8).init()
        } else {
            SgdConfig::new().with_momentum(Some(momentum)).init()
        };
        let started = Instant::now();
        for rows in &batches[..steps] {
            let z = mlp.forward(x.clone().select(0, rows.clone()));
            let gradients = loss.forward(z, y.clone().select(0, rows.clone())).backward();
            let gradients = GradientsParams::from_grads(gradients, &mlp);
            mlp = optimizer.step(lr, mlp, gradients);
        }
        Ok((started.elapsed().as_secs_f64(), mlp.layers()?))
    }))
}

fn predictor(job: &Job, rows: Candle) -> Result<Call> {
    let device = Device::flex();
    let mlp = Mlp::new(&job.start()?, &device)?;
    let rows = Tensor::<2>::from_data(numbers(&rows, rows.dims2()?.into())?, &device);
    Ok(Box::new(move || {
        black_box(softmax(mlp.forward(rows.clone()), 1).into_data());
        Ok(())
    }))
}

fn main() -> Result<()> {
    serve("burn 0.22.1 (flex)", trainer, predictor)
}
