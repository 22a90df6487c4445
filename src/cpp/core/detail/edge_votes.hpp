// Where the middle of a ring may be, also of a broken one: edge pixels vote for the places that lie on their dark side.
//
// A pixel is an edge where the gradient stands over its noise and is largest along its own direction. It votes along
// the line down the gradient with weight 1 / distance. The inner edge of a ring heaps its votes up near the middle,
// whatever part of it there is: all of it 2 pi, half of it pi. Outer edges, blobs and vessels send theirs apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "edge_map.hpp"
#include "stable_order.hpp"

namespace pyicg::detail {

struct VoteRange {
  double nearest, farthest;  // px
};

struct Peak {
  double y, x;  // px
  double votes;
};

struct VoteBuffers {
  std::vector<float> votes;  // cells of 2 x 2 pixels
  std::vector<float> scratch;
  std::vector<std::uint64_t> words;  // a row's marks
  std::vector<Peak> all;             // in order of rows and columns
  StableOrder order;
  std::vector<Peak> peaks;
  std::vector<double> distances;  // at which a pixel votes
  std::vector<float> weights;     // there
};

// Places where the votes, in cells of 2 x 2 pixels and blurred by one cell, have a maximum of at least `least`;
// most votes first, at most `most` of them. They are the buffers' own.
const std::vector<Peak>& vote_peaks(const EdgeMap& edges, VoteRange range, double least, std::size_t most,
                                    VoteBuffers& buffers);

}  // namespace pyicg::detail
