#include "core/detail/label.hpp"

#include <utility>
#include <vector>

#include "check.hpp"
#include "scene.hpp"

using namespace pyicg::detail;
using scene::Mask;
using Labels = scene::Plane<std::int32_t>;

namespace {

// Floods from every first pixel in turn.
Labels flood(const Mask& mask, std::uint8_t value, Connectivity connectivity) {
  Labels labels(mask.height, mask.width);
  std::int32_t next = 0;
  for (std::size_t y = 0; y < mask.height; ++y) {
    for (std::size_t x = 0; x < mask.width; ++x) {
      if (mask(y, x) != value || labels(y, x) != 0) continue;
      std::vector<std::pair<std::size_t, std::size_t>> open{{y, x}};
      labels(y, x) = ++next;
      while (!open.empty()) {
        const auto [cy, cx] = open.back();
        open.pop_back();
        for (std::size_t ny = cy == 0 ? 0 : cy - 1; ny < std::min(cy + 2, mask.height); ++ny) {
          for (std::size_t nx = cx == 0 ? 0 : cx - 1; nx < std::min(cx + 2, mask.width); ++nx) {
            if (connectivity == Connectivity::four && ny != cy && nx != cx) continue;
            if (mask(ny, nx) != value || labels(ny, nx) != 0) continue;
            labels(ny, nx) = next;
            open.emplace_back(ny, nx);
          }
        }
      }
    }
  }
  return labels;
}

void describe(const Labels& labels, const std::vector<Component>& components) {
  for (std::size_t k = 0; k < components.size(); ++k) {
    Component c;
    c.y0 = labels.height;
    c.x0 = labels.width;
    for (std::size_t y = 0; y < labels.height; ++y) {
      for (std::size_t x = 0; x < labels.width; ++x) {
        if (labels(y, x) != static_cast<std::int32_t>(k + 1)) continue;
        ++c.area;
        c.sum_y += static_cast<double>(y);
        c.sum_x += static_cast<double>(x);
        c.y0 = std::min(c.y0, y);
        c.y1 = std::max(c.y1, y);
        c.x0 = std::min(c.x0, x);
        c.x1 = std::max(c.x1, x);
      }
    }
    const Component& found = components[k];
    check::equal(found.area, c.area);
    check::near(found.centroid_y(), c.centroid_y(), 1e-12);
    check::near(found.centroid_x(), c.centroid_x(), 1e-12);
    check::is_true(found.y0 == c.y0 && found.y1 == c.y1 && found.x0 == c.x0 && found.x1 == c.x1, "the bounding box");
    const bool border = c.y0 == 0 || c.x0 == 0 || c.y1 + 1 == labels.height || c.x1 + 1 == labels.width;
    check::equal(found.touches_border, border);
  }
}

void against_flood() {
  RunComponents ws;
  scene::Normal random(1);
  for (int trial = 0; trial < 300; ++trial) {
    Mask mask(1 + static_cast<std::size_t>(18 * random.uniform()), 1 + static_cast<std::size_t>(18 * random.uniform()));
    const double share = random.uniform();
    for (auto& v : mask.pixels) v = random.uniform() < share ? 1 : 0;
    for (const auto connectivity : {Connectivity::four, Connectivity::eight}) {
      for (const std::uint8_t value : {std::uint8_t{0}, std::uint8_t{1}}) {
        Labels labels(mask.height, mask.width, -1);
        const auto& components = label_components(mask.view(), value, connectivity, labels.view(), ws);
        const Labels expected = flood(mask, value, connectivity);
        check::is_true(labels == expected, "the labels of a flood");
        check::equal(components.size(), static_cast<std::size_t>(std::max(
                                            0, *std::max_element(expected.pixels.begin(), expected.pixels.end()))));
        if (labels == expected) describe(labels, components);
      }
    }
  }
}

void diagonal() {
  Mask mask(2, 2);
  mask(0, 1) = mask(1, 0) = 1;
  Labels labels(2, 2);
  RunComponents ws;
  check::equal(label_components(mask.view(), 1, Connectivity::eight, labels.view(), ws).size(), 1U);
  check::equal(label_components(mask.view(), 1, Connectivity::four, labels.view(), ws).size(), 2U);
}

}  // namespace

int main() {
  against_flood();
  diagonal();
  return check::result();
}
