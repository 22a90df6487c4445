// Compiled once for each instruction set: see lanes.hpp. The loops are plain ones, without branches that depend on
// values, so that the compiler makes vectors of them.
#include "calibrate_rows.hpp"

#include "pyicg/calibrate.hpp"

namespace pyicg::kernels {
namespace PYICG_KERNEL_SET {
extern const CalibrationKernels calibration;
}
namespace {

constexpr std::size_t block = 512;  // pixels whose numbers stay in the first cache from loop to loop
constexpr float largest_float = __FLT_MAX__;
constexpr std::uint8_t ambient_bits = mask_saturated | mask_excluded | mask_out_of_range | mask_not_finite;

float larger(float a, float b) { return a < b ? b : a; }
float smaller(float a, float b) { return b < a ? b : a; }

struct Cubic {
  float c1, c2, c3;
  explicit Cubic(const LinearityCurve& curve) : c1(curve.c1), c2(curve.c2), c3(curve.c3) {}
  [[nodiscard]] float value(float x) const { return x * (c1 + x * (c2 + x * c3)); }
  [[nodiscard]] float slope(float x) const { return c1 + x * (2.0F * c2 + x * 3.0F * c3); }
};

struct Table {
  const Profile::Piece* pieces;
  float last;
  float step;
  explicit Table(const LinearityCurve& curve) : pieces(curve.pieces), last(curve.last), step(curve.step) {}
  [[nodiscard]] const Profile::Piece& at(float x) const {
    return pieces[static_cast<std::size_t>(smaller(larger(0.0F, x / step), last))];  // a NaN becomes 0
  }
  [[nodiscard]] float value(float x) const {
    const Profile::Piece& p = at(x);
    return p.value + p.slope * (x - p.start);
  }
  [[nodiscard]] float slope(float x) const { return at(x).slope; }
};

// Calls act(x, map[x]), or act(x, otherwise) where there is no map: the choice is made once per row, so that each loop
// becomes vector instructions.
template <class Act>
void along(const float* map, std::size_t n, float otherwise, const Act& act) {
  if (map == nullptr) {
    for (std::size_t x = 0; x < n; ++x) act(x, otherwise);
    return;
  }
  for (std::size_t x = 0; x < n; ++x) act(x, map[x]);
}

// Counts to counts above the dark level of this exposure.
template <class Pixel>
void subtract_dark(const Pixel* in, const CalibrationMaps& maps, const CalibrationFactors& f, std::size_t n,
                   float* out) {
  if (maps.dark_rate == nullptr || f.dark_elapsed == 0.0F) {
    along(maps.dark, n, 0.0F, [=](std::size_t x, float dark) { out[x] = static_cast<float>(in[x]) - dark; });
    return;
  }
  const float elapsed = f.dark_elapsed;
  for (std::size_t x = 0; x < n; ++x) {
    out[x] = static_cast<float>(in[x]) - (maps.dark[x] + maps.dark_rate[x] * elapsed);
  }
}

// Noise of the linear signal, DN^2: shot noise, and read noise, dark current and dark map carried through the
// linearity. The shot noise of counts that happen to lie below the dark level is negative, so that the mean over dark
// pixels is right; the sum never falls below the rounding to whole counts.
template <class Curve>
void noise(const float* above, const CalibrationMaps& maps, const CalibrationFactors& f, const Curve& curve,
           std::size_t n, float* out) {
  constexpr float rounding = 1.0F / 12.0F;  // DN^2, EMVA 1288 sigma_q^2: unlike the dark noise it does not follow gain
  const float change = f.gain_factor * f.gain_factor - 1.0F;
  along(maps.read_noise, n, f.read_noise, [=](std::size_t x, float read) { out[x] = read * read; });
  if (maps.dark_rate != nullptr && f.elapsed != 0.0F) {
    // Read noise was measured with the dark current of the profile's exposure: another exposure has more or less of it.
    along(maps.gain, n, f.gain, [=, rate = maps.dark_rate, elapsed = f.elapsed](std::size_t x, float gain) {
      out[x] = larger(out[x] + gain * rate[x] * elapsed, smaller(out[x], rounding));
    });
  }
  for (std::size_t x = 0; x < n; ++x) out[x] += change * larger(out[x] - rounding, 0.0F);
  if (maps.dark_sigma != nullptr) {
    const float stretch2 = f.dark_stretch2;
    for (std::size_t x = 0; x < n; ++x) out[x] += maps.dark_sigma[x] * maps.dark_sigma[x] * stretch2;
  }
  along(maps.gain, n, f.gain, [=, factor = f.gain_factor](std::size_t x, float gain) {
    const float slope = curve.slope(above[x]);
    const float square = slope * slope;
    const float shot = gain * factor * curve.value(above[x]);
    out[x] = larger(shot + out[x] * square, smaller(out[x], rounding) * square);
  });
}

// From counts to signal and variance, in place: `out` holds first the counts above dark.
template <class Pixel, class Curve>
void signal(const Pixel* in, const CalibrationMaps& maps, const CalibrationFactors& f, const Curve& curve,
            std::size_t n, float* out, float* variance) {
  subtract_dark(in, maps, f, n, out);
  if (variance != nullptr) noise(out, maps, f, curve, n, variance);
  along(maps.inverse_flat, n, 1.0F, [=, scale = f.scale](std::size_t x, float inverse) {
    const float factor = inverse * scale;
    out[x] = curve.value(out[x]) * factor;
    if (variance != nullptr) variance[x] *= factor * factor;
  });
  if (variance != nullptr && maps.flat_sigma != nullptr) {
    for (std::size_t x = 0; x < n; ++x) {
      const float error = out[x] * maps.flat_sigma[x];
      variance[x] += error * error;
    }
  }
  if (maps.ambient == nullptr) return;
  for (std::size_t x = 0; x < n; ++x) out[x] -= maps.ambient[x];
  if (variance == nullptr) return;
  for (std::size_t x = 0; x < n; ++x) variance[x] += maps.ambient_variance[x];
}

// Whether any pixel of the block is saturated, cut off at 0 or not finite. Few blocks hold one.
template <class Pixel>
bool any_flagged(const Pixel* in, const CalibrationFactors& f, std::size_t n, const float* out) {
  const float saturation = f.saturation;
  const int zeros = f.flag_zero ? 1 : 0;
  int any = 0;
  for (std::size_t x = 0; x < n; ++x) {
    const auto count = static_cast<float>(in[x]);
    const int finite = static_cast<int>(__builtin_fabsf(out[x]) <= largest_float);
    any |= static_cast<int>(count >= saturation) | (static_cast<int>(count <= 0.0F) & zeros) | (1 - finite);
  }
  return any != 0;
}

template <class Pixel>
void flag_each(const Pixel* in, const CalibrationFactors& f, std::size_t n, float* out, std::uint8_t* bits,
               float* variance) {
  const float saturation = f.saturation;  // copies: a store to `bits` may change what a reference points to
  const int zero_bit = f.flag_zero ? mask_underflow : 0;
  const int frame_bits = f.frame_bits;
  for (std::size_t x = 0; x < n; ++x) {
    const auto count = static_cast<float>(in[x]);
    const int saturated = static_cast<int>(count >= saturation) * mask_saturated;
    const int underflow = static_cast<int>(count <= 0.0F) * zero_bit;
    const int finite = static_cast<int>(__builtin_fabsf(out[x]) <= largest_float);
    bits[x] = static_cast<std::uint8_t>(frame_bits | (saturated | underflow) * finite | mask_not_finite * (1 - finite));
    out[x] = finite != 0 ? out[x] : __builtin_nanf("");
  }
  if (variance == nullptr) return;
  for (std::size_t x = 0; x < n; ++x) variance[x] = __builtin_isnan(out[x]) ? out[x] : variance[x];
}

template <class Pixel>
void flag(const Pixel* in, const CalibrationMaps& maps, const CalibrationFactors& f, std::size_t n, float* out,
          std::uint8_t* bits, float* variance, FlagCounts& counts) {
  if (any_flagged(in, f, n, out)) {
    flag_each(in, f, n, out, bits, variance);
  } else {
    __builtin_memset(bits, f.frame_bits, n);
  }
  if (maps.exclude != nullptr) {
    for (std::size_t x = 0; x < n; ++x) {
      bits[x] |= static_cast<std::uint8_t>(maps.exclude[x] != 0 ? mask_excluded : 0);
    }
  }
  if (maps.ambient_mask != nullptr) {
    for (std::size_t x = 0; x < n; ++x) bits[x] |= static_cast<std::uint8_t>(maps.ambient_mask[x] & ambient_bits);
  }
  std::uint32_t any = 0;
  for (std::size_t x = 0; x < n; ++x) any |= bits[x];
  if ((any & (mask_saturated | mask_underflow | mask_not_finite)) == 0) return;
  for (std::size_t x = 0; x < n; ++x) {
    counts.saturated += (bits[x] & mask_saturated) != 0 ? 1U : 0U;
    counts.underflow += (bits[x] & mask_underflow) != 0 ? 1U : 0U;
    counts.not_finite += (bits[x] & mask_not_finite) != 0 ? 1U : 0U;
  }
}

// The maps from pixel x on.
CalibrationMaps from(const CalibrationMaps& m, std::size_t x) {
  const auto at = [x](auto* map) { return map == nullptr ? nullptr : map + x; };
  return {at(m.dark), at(m.dark_rate), at(m.dark_sigma),       at(m.inverse_flat), at(m.flat_sigma), at(m.read_noise),
          at(m.gain), at(m.ambient),   at(m.ambient_variance), at(m.ambient_mask), at(m.exclude)};
}

template <class Pixel>
FlagCounts convert(const Pixel* in, std::size_t width, const CalibrationFactors& f, const LinearityCurve& curve,
                   const CalibrationMaps& maps, const CalibratedRow& out) {
  FlagCounts counts{0, 0, 0};
  for (std::size_t x = 0; x < width; x += block) {
    const std::size_t n = width - x < block ? width - x : block;
    const CalibrationMaps here = from(maps, x);
    float* const variance = out.variance == nullptr ? nullptr : out.variance + x;
    if (curve.pieces == nullptr) {
      signal(in + x, here, f, Cubic(curve), n, out.data + x, variance);
    } else {
      signal(in + x, here, f, Table(curve), n, out.data + x, variance);
    }
    flag(in + x, here, f, n, out.data + x, out.mask + x, variance, counts);
  }
  return counts;
}

template <class Pixel>
bool range(const Pixel* in, std::size_t width, float& highest) {
  Pixel most = 0;
  for (std::size_t x = 0; x < width; ++x) most = in[x] > most ? in[x] : most;
  highest = larger(highest, static_cast<float>(most));
  return true;
}

template <>
bool range<float>(const float* in, std::size_t width, float& highest) {
  int fractions = 0;
  float most = highest;
  for (std::size_t x = 0; x < width; ++x) {
    const float v = __builtin_fabsf(in[x]) <= largest_float ? in[x] : 0.0F;
    // From 2^23 on every float is whole.
    const float size = __builtin_fabsf(v);
    const float held = size < 8388608.0F ? size : 0.0F;
    fractions |= static_cast<int>(static_cast<float>(static_cast<std::int32_t>(held)) != held);
    most = v > most ? v : most;
  }
  highest = most;
  return fractions == 0;
}

}  // namespace

namespace PYICG_KERNEL_SET {
const CalibrationKernels calibration{{convert<std::uint8_t>, range<std::uint8_t>},
                                     {convert<std::uint16_t>, range<std::uint16_t>},
                                     {convert<float>, range<float>}};
}
}  // namespace pyicg::kernels
