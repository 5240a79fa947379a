#![doc = include_str!("../README.md")]

mod activations;
mod aligned;
mod batch_norm;
mod bf16;
mod bias;
mod convert;
mod cores;
mod cross_entropy;
mod csr;
mod deform;
mod dropout;
mod finish;
mod float;
mod gemm;
mod ink;
mod patches;
mod payoff;
mod pool;
mod products;
pub mod reference;
mod reliance;
mod simd;
mod softmax;
mod sparse;
mod special;
mod updates;
mod walks;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use activations::{
    gelu, gelu_backward, leaky_relu, leaky_relu_backward, relu, relu_backward, relu_in_place, sigmoid,
    sigmoid_backward, tanh, tanh_backward,
};
pub use aligned::AlignedVec;
pub use batch_norm::{batch_norm, batch_norm_backward, batch_norm_sums, column_moments};
pub use bf16::Products;
pub use bias::add_column_sums;
pub use convert::{gather_rows, narrow, to_bytes, widen};
pub use cross_entropy::{ClassTargets, CrossEntropy, FEW_CLASSES, softmax_cross_entropy};
pub use csr::{Csr, affine_csr, weight_gradient_csr};
pub use deform::{DeformScratch, Deformation, deform};
pub use dropout::{DropoutMask, dropout};
pub use finish::Finish;
pub use float::Float;
pub use ink::Ink;
pub use patches::{Patches, affine_patches, weight_gradient_patches};
pub use pool::Pool;
pub use products::{
    Inputs, affine, affine_turned, backpropagate, is_large, weight_gradient, weight_gradient_turned,
};
pub use simd::{Element, InstructionSet, Stored, instruction_set, prefetch_slice};
pub use softmax::{
    SoftmaxShift, add_column_exps, count_first_largest, maximum, softmax_columns, softmax_rows,
};
pub use sparse::{affine_sparse, affine_sparse_row, transpose, weight_gradient_sparse};
pub use updates::{
    AdamStep, MomentumStep, RmspropStep, adam, all_finite, axpy, dot, lerp, momentum, rmsprop, scale, sum,
};
