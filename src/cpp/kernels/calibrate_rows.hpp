// One row of raw counts to signal, variance and mask: the arithmetic of calibrate.hpp, in float32 throughout.
#pragma once

#include <cstddef>
#include <cstdint>

#include "pyicg/instruction_set.hpp"
#include "pyicg/profile.hpp"

namespace pyicg::kernels {

// What every pixel's arithmetic needs: the same operations on every machine.
struct CalibrationFactors {
  float elapsed;        // ms, from the exposure of the dark map to this frame's
  float dark_elapsed;   // ms, the same as the dark signal sees it: at another gain its electrons make other counts
  float scale;          // unit / (exposure x gain)
  float gain_factor;    // of this frame over the profile's
  float gain;           // DN per electron
  float read_noise;     // DN
  float dark_stretch2;  // variance of the dark map at this exposure over that at its mean exposure
  float saturation;     // DN
  float highest;        // largest count that can be
  bool flag_zero;       // a dark map is there: a count of 0 is a clipped one
  std::uint8_t frame_bits;
};

// x (c1 + x (c2 + x c3)), or, where there are any, the pieces of a table `step` counts wide.
struct LinearityCurve {
  float c1, c2, c3;
  const Profile::Piece* pieces;
  float last;  // index of the last piece
  float step;
};

// One row of each map; null where the profile has none.
struct CalibrationMaps {
  const float* dark;
  const float* dark_rate;
  const float* dark_sigma;
  const float* inverse_flat;
  const float* flat_sigma;
  const float* read_noise;
  const float* gain;
  const float* ambient;
  const float* ambient_variance;
  const std::uint8_t* ambient_mask;
  const std::uint8_t* exclude;
};

struct CalibratedRow {
  float* data;
  std::uint8_t* mask;
  float* variance;  // null: not asked for
};

struct FlagCounts {
  std::uint32_t saturated, underflow, not_finite;
};

template <class Pixel>
struct CalibrationRowKernels {
  FlagCounts (*convert)(const Pixel* in, std::size_t width, const CalibrationFactors& f, const LinearityCurve& curve,
                        const CalibrationMaps& maps, const CalibratedRow& out);

  // Raises `highest` to the largest finite count. Returns whether all finite counts are whole.
  bool (*range)(const Pixel* in, std::size_t width, float& highest);
};

struct CalibrationKernels {
  CalibrationRowKernels<std::uint8_t> bytes;
  CalibrationRowKernels<std::uint16_t> words;
  CalibrationRowKernels<float> floats;
};

const CalibrationKernels& calibration_kernels(InstructionSet set = instruction_set());

}  // namespace pyicg::kernels
