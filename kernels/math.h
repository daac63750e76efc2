#pragma once

#include <cstddef>

namespace spillway::kernels {

/// Elementary functions of the numerics contract: own code, the same arithmetic and so the same bits on every instruction set.
/// Each: y[i] = f(x[i]) for i in [0, n); x and y may alias exactly; any length. Errors are against the exact value, in units in
/// the last place of the result unless said; NaN gives the quiet NaN 0x7fc00000.
///
/// exp  below 1 ulp. Above 88.7228317 infinity; below -87.3365402, where the result would be subnormal, 0.
/// log  below 1 ulp. 0 gives -infinity, a negative number NaN; subnormals are exact inputs.
/// sin, cos  absolute error below 1e-7 for |x| <= 8192; beyond that the reduction loses digits. Infinity gives NaN.
void exp(const float* x, float* y, std::size_t n);
void log(const float* x, float* y, std::size_t n);
void sin(const float* x, float* y, std::size_t n);
void cos(const float* x, float* y, std::size_t n);

/// The same for one double, by plain double arithmetic compiled once (rope angles need more digits than f32 has). Relative
/// error below 1e-14; sin and cos for |x| <= 2^20.
double exp_f64(double x);
double log_f64(double x);  ///< x > 0, normal
double sin_f64(double x);
double cos_f64(double x);

}  // namespace spillway::kernels
