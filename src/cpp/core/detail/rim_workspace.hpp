// What the search for rims keeps from frame to frame: buffers, and lists whose elements hold memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "edge_votes.hpp"
#include "kept.hpp"
#include "label.hpp"
#include "lesion_parts.hpp"
#include "odd_shape.hpp"
#include "pyramid.hpp"
#include "rim_candidates.hpp"
#include "stable_order.hpp"
#include "threshold.hpp"
#include "trace_rim.hpp"

namespace pyicg::detail {

struct TracedCandidate {
  RimCandidate candidate;
  const RimTrace* trace;  // null: none
  double confidence;
};

struct RimSearchWorkspace {
  // Of find_rim_candidates.
  std::vector<PyramidLevel> levels;  // from level 1 on; level 0 is the smooth frame itself
  EdgeMap edges;
  VoteBuffers votes;
  BrightBuffers bright;
  RunComponents dark;  // places that bright regions enclose
  std::vector<RimCandidate> found;
  std::vector<RimCandidate> candidates;  // of these, one per place
  std::vector<RimCandidate> all_holes;   // of the frame's own level: cores of any shape that are enclosed
  std::vector<RimCandidate> holes;       // of these, the largest
  StableOrder order;
  // Of what is traced and measured.
  TraceBuffers tracing;
  std::vector<TracedCandidate> traced;
  OddBuffers odd;
  PixelStats pixels;                 // of a lesion
  std::vector<std::size_t> overlap;  // of its core with lesion k + 1, in pixels
  std::vector<std::uint8_t> parts;   // of its box: core or rim
  KeptList<Lesion> lesions;          // in the order in which they were found
  std::vector<std::int32_t> renamed;
  std::vector<Lesion> spare;  // of results
  // Of the maps.
  std::vector<Box> painted;  // in which they are not zero
  std::size_t height = 0, width = 0;
};

}  // namespace pyicg::detail
