#include "ring_rays.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <optional>

#include "../../kernels/edge_rows.hpp"

namespace pyicg::detail {
namespace {

constexpr std::size_t rays = 48;
constexpr std::size_t stretch = 4;        // rays in a row that belong together
constexpr double steepest = 0.7071;       // cosine between ray and gradient
constexpr double longest = 1.7;           // of a ring's radius: what an ellipse of axes 0.6 with lobes reaches
constexpr std::size_t edges_per_ray = 6;  // more are texture

struct Direction {
  double dy, dx;
};

const std::array<Direction, rays>& directions() {
  static const std::array<Direction, rays> table = [] {
    std::array<Direction, rays> t{};
    for (std::size_t k = 0; k < rays; ++k) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(k) / rays;
      t.at(k) = {std::sin(angle), std::cos(angle)};
    }
    return t;
  }();
  return table;
}

struct Edge {
  double r = 0;
  double slope = 0;  // along the ray; 0: no edge
  double gy = 0, gx = 0;
};

struct Ray {
  std::array<Edge, edges_per_ray> edges{};
  std::array<double, edges_per_ray> log_r{};
  std::size_t n = 0;
  double length = 0;  // within the frame
};
using Fan = std::array<Ray, rays>;

// Index of the pixel that holds a point.
std::optional<std::size_t> pixel(std::size_t height, std::size_t width, double y, double x) {
  const double from_top = y + 0.5;
  const double from_left = x + 0.5;
  if (!(from_top >= 0) || !(from_left >= 0)) return std::nullopt;
  const auto iy = static_cast<std::size_t>(from_top);
  const auto ix = static_cast<std::size_t>(from_left);
  if (iy >= height || ix >= width) return std::nullopt;
  return iy * width + ix;
}

// Rays are read every half pixel, from one pixel on. How many of these places lie within the frame.
std::size_t steps_inside(ImageView<const float> image, std::size_t most, double y, double x, const Direction& d) {
  const auto inside = [&](std::size_t step) {
    const double r = 0.5 * static_cast<double>(step);
    return pixel(image.height, image.width, y + r * d.dy, x + r * d.dx).has_value();
  };
  if (inside(most)) return most;  // the frame is convex
  std::size_t in = 1;
  for (std::size_t out = most; out - in > 1;) {
    const std::size_t middle = (in + out) / 2;
    (inside(middle) ? in : out) = middle;
  }
  return in;
}

// Local maxima of the slope along a ray.
void cast(const EdgeMap& map, const RingSearch& s, double y, double x, const Direction& d, kernels::RayPlaces& places,
          Ray& ray) {
  constexpr std::size_t first = 2;
  const auto most = static_cast<std::size_t>(2 * longest * s.radius);
  const std::size_t end = most < first ? first : steps_inside(map.image, most, y, x, d) + 1;
  ray.n = 0;
  ray.length = end > first ? 0.5 * static_cast<double>(end - 1) : 0.0;
  Edge last;
  bool rising = false;
  std::size_t seen = ~std::size_t{0};  // the pixel before
  for (std::size_t start = first; start < end && ray.n < edges_per_ray; start += kernels::ray_block) {
    const std::size_t count = std::min(kernels::ray_block, end - start);
    const std::uint64_t marks =
        kernels::edge_kernels().look(map.marked.data(), map.image.width, {y, x, d.dy, d.dx}, start, count, &places);
    for (std::size_t i = 0; i < count && ray.n < edges_per_ray; ++i) {
      const std::uint64_t ahead = marks >> i;
      if (last.slope == 0) {  // nothing changes up to the next mark
        if (ahead == 0) break;
        i += static_cast<std::size_t>(std::countr_zero(ahead));
      }
      const auto py = static_cast<std::size_t>(places.rows[i]);
      const auto px = static_cast<std::size_t>(places.columns[i]);
      const std::size_t at = py * map.image.width + px;
      if (at == seen) continue;
      seen = at;
      double slope = 0;
      double gy = 0;
      double gx = 0;
      if ((marks >> i & 1) != 0) {
        const Gradient g = gradient_at(map.image, py, px);
        gy = static_cast<double>(g.y);
        gx = static_cast<double>(g.x);
        slope = gy * d.dy + gx * d.dx;
        if (!(slope > map.threshold) || slope * slope < steepest * steepest * (gy * gy + gx * gx)) slope = 0;
      }
      if (slope == last.slope) continue;
      if (slope > last.slope) {
        rising = true;
      } else if (rising) {
        ray.edges.at(ray.n++) = last;
        rising = false;
      }
      last = {0.5 * static_cast<double>(start + i), slope, gy, gx};
    }
  }
  if (rising && ray.n < edges_per_ray) ray.edges.at(ray.n++) = last;
  for (std::size_t e = 0; e < ray.n; ++e) ray.log_r.at(e) = std::log(ray.edges.at(e).r);
}

// How well an edge fits a radius: 1 for the same, 0 for `longest` times as much or as little.
const double fit_per_log = 1 / std::log(longest);
double fit(double log_r, double log_radius) { return 1 - std::fabs(log_r - log_radius) * fit_per_log; }

double common_radius(const Fan& fan, const RingSearch& s) {
  double best = 0;
  double radius = 0;
  constexpr double step = 0.11;
  const double least = std::log(s.least_radius);
  const auto steps = static_cast<std::size_t>(std::max(0.0, (std::log(s.radius) - least) / step));
  std::array<double, kernels::radii_block> log_radii{};
  std::array<double, kernels::radii_block> sums{};
  for (std::size_t first = 0; first <= steps; first += kernels::radii_block) {
    for (std::size_t k = 0; k < kernels::radii_block; ++k) {
      log_radii.at(k) = least + step * static_cast<double>(first + k);
    }
    sums.fill(0);
    for (const Ray& ray : fan) {
      if (ray.n == 0) continue;
      kernels::edge_kernels().add_fits(ray.log_r.data(), ray.n, log_radii.data(), fit_per_log, sums.data());
    }
    for (std::size_t k = 0; k < kernels::radii_block && first + k <= steps; ++k) {
      if (!(sums.at(k) > best * 1.0001)) continue;
      best = sums.at(k);
      radius = std::exp(log_radii.at(k));
    }
  }
  return radius;
}

// Per ray the edge that is steep and near the radius; slope 0 where there is none.
std::array<Edge, rays> choose(const Fan& fan, double radius) {
  std::array<Edge, rays> chosen{};
  const double log_radius = std::log(radius);
  for (std::size_t k = 0; k < rays; ++k) {
    double best = 0;
    for (std::size_t e = 0; e < fan.at(k).n; ++e) {
      const Edge& edge = fan.at(k).edges.at(e);
      const double worth = edge.slope * fit(fan.at(k).log_r.at(e), log_radius);
      if (worth > best) {
        best = worth;
        chosen.at(k) = edge;
      }
    }
  }
  return chosen;
}

// Whether neighbours lie at like distances.
bool linked(const std::array<Edge, rays>& edges, std::size_t a, std::size_t b, double radius) {
  const Edge& p = edges.at(a % rays);
  const Edge& q = edges.at(b % rays);
  return p.slope > 0 && q.slope > 0 && std::fabs(p.r - q.r) <= std::max(0.25 * radius, 1.5);
}

// Drops what does not belong to a stretch of linked neighbours.
void keep_stretches(std::array<Edge, rays>& edges, double radius) {
  std::size_t start = 0;
  while (start < rays && linked(edges, start + rays - 1, start, radius)) ++start;
  if (start == rays) return;  // one closed stretch
  std::array<Edge, rays> kept{};
  for (std::size_t k = start; k < start + rays;) {
    std::size_t end = k + 1;
    while (end < start + rays && linked(edges, end - 1, end, radius)) ++end;
    if (end - k >= stretch) {
      for (std::size_t i = k; i < end; ++i) kept.at(i % rays) = edges.at(i % rays);
    }
    k = end;
  }
  edges = kept;
}

// 1 where a ray meets the edge head on, 0 where it just counts or not at all.
double facing_of(const Edge& e) {
  if (!(e.slope > 0)) return 0;
  const double angle = std::acos(std::min(1.0, e.slope / std::hypot(e.gy, e.gx))) / (0.25 * std::numbers::pi);
  return 1 - angle * angle;
}

// Circle through points by least squares: I. Kasa, IEEE Trans. Instrum. Meas. 25 (1976) 8. Points are relative to the
// centre they were seen from; a weak pull keeps a short arc from running away.
struct Circle {
  double y, x, radius;
};
Circle circle_through(const std::array<Edge, rays>& edges) {
  double n = 0, my = 0, mx = 0;
  for (std::size_t k = 0; k < rays; ++k) {
    if (!(edges.at(k).slope > 0)) continue;
    my += edges.at(k).r * directions().at(k).dy;
    mx += edges.at(k).r * directions().at(k).dx;
    n += 1;
  }
  my /= n;
  mx /= n;
  double yy = 0, xx = 0, xy = 0, qy = 0, qx = 0, q = 0;
  for (std::size_t k = 0; k < rays; ++k) {
    if (!(edges.at(k).slope > 0)) continue;
    const double v = edges.at(k).r * directions().at(k).dy - my;
    const double u = edges.at(k).r * directions().at(k).dx - mx;
    const double square = v * v + u * u;
    yy += v * v;
    xx += u * u;
    xy += v * u;
    qy += square * v;
    qx += square * u;
    q += square;
  }
  const double determinant = yy * xx - xy * xy;
  if (!(determinant > 1e-9 * (yy + xx) * (yy + xx))) return {my, mx, std::sqrt(q / n)};
  const double cy = 0.5 * (qy * xx - qx * xy) / determinant;
  const double cx = 0.5 * (qx * yy - qy * xy) / determinant;
  return {my + cy, mx + cx, std::sqrt(cy * cy + cx * cx + q / n)};
}

double median_radius(const std::array<Edge, rays>& edges) {
  std::array<double, rays> r{};
  std::size_t n = 0;
  for (const Edge& e : edges) {
    if (e.slope > 0) r.at(n++) = e.r;
  }
  if (n == 0) return 0;
  std::nth_element(r.begin(), r.begin() + static_cast<std::ptrdiff_t>(n / 2),
                   r.begin() + static_cast<std::ptrdiff_t>(n));
  return r.at(n / 2);
}

// Mean of what is known within half the radius, and of what lies just behind the edges.
double depth_of(ImageView<const float> image, const std::array<Edge, rays>& edges, const RingSearch& s, double y,
                double x, double radius) {
  double core = 0, core_n = 0, rim = 0, rim_n = 0;
  const auto add = [&](double r, const Direction& d, double& sum, double& n) {
    const auto i = pixel(image.height, image.width, y + r * d.dy, x + r * d.dx);
    if (!i) return;
    const double v = static_cast<double>(image(*i / image.width, *i % image.width));
    if (std::isnan(v)) return;
    sum += v;
    n += 1;
  };
  for (std::size_t k = 0; k < rays; ++k) {
    add(0.25 * radius, directions().at(k), core, core_n);
    add(0.5 * radius, directions().at(k), core, core_n);
    if (edges.at(k).slope > 0) add(edges.at(k).r + 1.5, directions().at(k), rim, rim_n);
  }
  if (core_n == 0 || rim_n == 0) return 0;
  core /= core_n;
  rim /= rim_n;
  const double least = std::min(core, s.background);
  return rim > least ? std::clamp((rim - core) / (rim - least), 0.0, 1.0) : 0.0;
}

// What is seen from one place.
struct Sight {
  Fan fan;
  kernels::RayPlaces places;
  std::array<Edge, rays> edges;  // of the ring
};

// The ring as it is seen from one place, and its edges; radius 0 where there is none.
Ring seen_from(const EdgeMap& map, const RingSearch& search, double y, double x, Sight& sight) {
  Fan& fan = sight.fan;
  std::array<Edge, rays>& edges = sight.edges;
  for (std::size_t k = 0; k < rays; ++k) cast(map, search, y, x, directions().at(k), sight.places, fan.at(k));
  Ring ring;
  const double common = common_radius(fan, search);
  if (common == 0) return ring;
  edges = choose(fan, common);
  keep_stretches(edges, common);
  ring.radius = median_radius(edges);
  if (ring.radius == 0) return ring;
  double in_frame = 0, facing = 0;
  for (std::size_t k = 0; k < rays; ++k) {
    in_frame += edges.at(k).slope > 0 || fan.at(k).length >= ring.radius;
    facing += facing_of(edges.at(k));
  }
  ring.y = y;
  ring.x = x;
  ring.in_frame = in_frame / static_cast<double>(rays);
  ring.facing = facing / static_cast<double>(rays);
  ring.depth = depth_of(map.image, edges, search, y, x, ring.radius);
  return ring;
}

}  // namespace

Ring find_ring(const EdgeMap& map, const RingSearch& search, double y, double x) {
  constexpr int passes = 5;
  Ring best;
  Sight sight{};
  // Votes are counted in cells of 2 x 2 pixels, of which the last may reach beyond the frame; rays begin within.
  y = std::clamp(y, 0.0, static_cast<double>(map.image.height) - 1);
  x = std::clamp(x, 0.0, static_cast<double>(map.image.width) - 1);
  for (int pass = 0; pass < passes; ++pass) {
    const Ring ring = seen_from(map, search, y, x, sight);
    if (ring.radius == 0) break;
    if (ring.facing >= 0.8 * best.facing) best = ring;  // a step can lead away from a short arc
    const Circle c = circle_through(sight.edges);
    const double far = std::hypot(c.y, c.x);
    if (far < 0.05 * ring.radius) break;
    const double share = std::min(1.0, 0.5 * ring.radius / far);
    y += share * c.y;
    x += share * c.x;
    if (!pixel(map.image.height, map.image.width, y, x)) break;
  }
  return best;
}

}  // namespace pyicg::detail
