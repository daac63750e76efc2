#pragma once

#include <cstdint>

namespace spillway::kernels {

/// IEEE half precision, by integer arithmetic alone, so that it does not depend on the host or on flush modes. Equal bit for
/// bit to the hardware's conversions (VCVTPH2PS, and VCVTPS2PH rounding to nearest even); a NaN comes out quiet.
float f16_to_f32(std::uint16_t half);
std::uint16_t f32_to_f16(float value);

}  // namespace spillway::kernels
