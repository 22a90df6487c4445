// Structs of pyicg.h to those of the core, checked, and back.
#pragma once

#include <cstdint>
#include <vector>

#include "pyicg/calibrate.hpp"
#include "pyicg/profile.hpp"
#include "pyicg/pyicg.h"
#include "pyicg/rim.hpp"
#include "pyicg/scorer.hpp"

namespace pyicg::capi {

ProfileData profile_data(const pyicg_profile_data& data);

// Without runner and log, which are the handle's.
ScorerOptions scorer_options(const pyicg_scorer_options& options);

// A view of the caller's pixels, or of `unpacked` when they are packed. Pixels are read only when the frame has the
// shape of the profile: what has not is the core's to refuse.
RawFrame raw_frame(const pyicg_frame& frame, const ProfileData& profile, std::vector<std::uint16_t>& unpacked);

pyicg_frame_score frame_score(const FrameScore& score);
// What a score that failed leaves: nothing is known.
pyicg_frame_score no_score();
pyicg_lesion lesion_of(const Lesion& lesion);

}  // namespace pyicg::capi
