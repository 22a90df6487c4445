#include "pyicg/background_surface.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "background_parts.hpp"
#include "detail/select.hpp"
#include "pyicg/error.hpp"

namespace pyicg {
namespace {

using Vector = std::array<double, max_surface_terms>;
using Matrix = std::array<Vector, max_surface_terms>;

constexpr double mad_to_sigma = 1.4826022185056018;
constexpr double tukey_reach = 4.685;  // 95 % efficiency for a normal distribution (Holland and Welsch 1977)
// Of a normal distribution under these weights: variance of the fit over that of least squares, mean weight, and
// weighted variance over variance.
constexpr double tukey_variance = 1 / 0.95;
constexpr double tukey_mean_weight = 0.9151;
constexpr double tukey_narrowing = 0.8281;

// Inverse of a symmetric positive definite matrix by Cholesky's decomposition; false: it is not one.
bool invert(const Matrix& a, std::size_t n, Matrix& inverse) {
  Matrix l{};
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double s = a[i][j];
      for (std::size_t k = 0; k < j; ++k) s -= l[i][k] * l[j][k];
      if (i == j) {
        if (!(s > 1e-12 * a[i][i])) return false;
        l[i][i] = std::sqrt(s);
      } else {
        l[i][j] = s / l[j][j];
      }
    }
  }
  for (std::size_t column = 0; column < n; ++column) {
    Vector v{};
    for (std::size_t i = 0; i < n; ++i) {
      double s = i == column ? 1.0 : 0.0;
      for (std::size_t k = 0; k < i; ++k) s -= l[i][k] * v[k];
      v[i] = s / l[i][i];
    }
    for (std::size_t i = n; i-- > 0;) {
      double s = v[i];
      for (std::size_t k = i + 1; k < n; ++k) s -= l[k][i] * v[k];
      v[i] = s / l[i][i];
      inverse[i][column] = v[i];
    }
  }
  return true;
}

double dot(const Vector& a, const Vector& b, std::size_t n) {
  double s = 0;
  for (std::size_t i = 0; i < n; ++i) s += a[i] * b[i];
  return s;
}

double quadratic(const Matrix& m, const Vector& v, std::size_t n) {
  double s = 0;
  for (std::size_t i = 0; i < n; ++i) s += v[i] * dot(m[i], v, n);
  return s;
}

std::size_t terms_of(int order) { return static_cast<std::size_t>((order + 1) * (order + 2) / 2); }

// One tile as a point of the fit.
struct Point {
  Vector basis;
  double value;
  double n;
  double weight;
  double residual;
};

double robust_sigma(const std::vector<Point>& points, std::vector<float>& scratch) {
  scratch.clear();
  for (const Point& p : points) scratch.push_back(static_cast<float>(std::fabs(p.residual)));
  return mad_to_sigma * detail::median(scratch);
}

// Weighted least squares with Tukey's weights until nothing changes. Returns false where the points do not determine
// the surface.
bool fit_order(std::vector<Point>& points, int order, double least_sigma, Vector& coefficient, Matrix& inverse,
               std::vector<float>& scratch) {
  const std::size_t n = terms_of(order);
  for (int iteration = 0; iteration < 50; ++iteration) {
    Matrix normal{};
    Vector right{};
    for (const Point& p : points) {
      const double w = p.weight * p.n;
      for (std::size_t i = 0; i < n; ++i) {
        right[i] += w * p.basis[i] * p.value;
        for (std::size_t j = 0; j <= i; ++j) normal[i][j] += w * p.basis[i] * p.basis[j];
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = i + 1; j < n; ++j) normal[i][j] = normal[j][i];
    }
    if (!invert(normal, n, inverse)) return false;
    double change = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double next = dot(inverse[i], right, n);
      change = std::max(change, std::fabs(next - coefficient[i]));
      coefficient[i] = next;
    }
    for (Point& p : points) p.residual = p.value - dot(p.basis, coefficient, n);
    const double sigma = std::max(robust_sigma(points, scratch), least_sigma);
    for (Point& p : points) {
      const double u = p.residual / (tukey_reach * sigma);
      p.weight = std::fabs(u) < 1 ? (1 - u * u) * (1 - u * u) : 0.0;
    }
    if (change <= 1e-4 * sigma) break;
  }
  return true;
}

}  // namespace

std::size_t BackgroundSurface::terms() const { return terms_of(order); }

std::array<double, max_surface_terms> BackgroundSurface::basis(double y, double x) const {
  const auto legendre = [](double u) {
    return std::array<double, max_surface_order + 1>{1, u, (3 * u * u - 1) / 2, (5 * u * u - 3) * u / 2};
  };
  const auto py = legendre((2 * y + 1) / static_cast<double>(height) - 1);
  const auto px = legendre((2 * x + 1) / static_cast<double>(width) - 1);
  std::array<double, max_surface_terms> terms{};
  std::size_t k = 0;
  const auto highest = static_cast<std::size_t>(order);
  for (std::size_t degree = 0; degree <= highest; ++degree) {
    for (std::size_t i = 0; i <= degree; ++i) terms[k++] = py[degree - i] * px[i];
  }
  return terms;
}

double BackgroundSurface::at(double y, double x) const { return dot(basis(y, x), coefficient, terms()); }

BackgroundSurface fit_background_surface(const CalibratedView& frame, ImageView<const std::uint8_t> exclude, int order,
                                         BackgroundWorkspace& workspace) {
  if (order < 0 || order > max_surface_order) {
    throw Error(ErrorKind::input, "the order of a background surface is 0 to 3, found " + std::to_string(order));
  }
  BackgroundOptions options;
  options.exclude = exclude;
  auto& ws = workspace.buffers();
  const Selection selected = select_background(frame, options, ws);
  BackgroundSurface s;
  s.order = order;
  s.height = frame.data.height;
  s.width = frame.data.width;
  s.step = frame.step;
  const detail::Prevalent prevalent = detail::prevalent_level(selected.frame, ws.prevalent);
  const std::size_t edge = detail::plan_tiles(frame, prevalent, selected.n).edge;
  detail::make_tiles(selected.frame, edge, {}, false, ws.tiles);
  const detail::Tiles& tiles = ws.tiles;
  if (selected.n < min_background_pixels || tiles.size() < 3 * s.terms()) {
    s.reason = (selected.bits & mask_out_of_range) != 0 ? Reason::out_of_range : Reason::too_few_pixels;
    return s;
  }
  std::vector<Point> points;
  points.reserve(tiles.size());
  ws.values.clear();
  for (std::size_t i = 0; i < tiles.size(); ++i) {
    const auto centre = [](const std::vector<std::size_t>& edges, std::size_t k) {
      return 0.5 * static_cast<double>(edges[k] + edges[k + 1] - 1);
    };
    const double y = centre(tiles.row_edges, tiles.row[i]);
    const double x = centre(tiles.column_edges, tiles.column[i]);
    points.push_back({s.basis(y, x), static_cast<double>(tiles.mean[i]), static_cast<double>(tiles.n[i]), 1, 0});
    ws.values.push_back(tiles.mean[i]);
  }
  // From the median on, one order after the other: a bright lesion has lost its weight before the surface can bend to
  // it.
  const double median = detail::median(ws.values);
  for (Point& p : points) p.residual = p.value - median;
  // What is left of a surface without noise is the rounding of float means: no scale to judge tiles by.
  const double least_sigma = std::max(1e-5 * std::fabs(median), 1e-30);
  const double first_sigma = std::max(robust_sigma(points, ws.values), least_sigma);
  for (Point& p : points) p.weight = std::fabs(p.residual) > tukey_reach * first_sigma ? 0.0 : 1.0;
  Matrix inverse{};
  for (int k = 0; k <= order; ++k) {
    if (!fit_order(points, k, least_sigma, s.coefficient, inverse, ws.values)) {
      s.reason = Reason::too_few_pixels;
      return s;
    }
  }
  double weights = 0;
  double n = 0;
  double within = 0;
  double noise = 0;
  double squares = 0;
  ws.blocks.reset(tiles.rows(), tiles.columns(), 2);
  for (std::size_t r = 0, i = 0; r < tiles.rows(); ++r) {
    ws.influences.assign(tiles.columns(), nan);
    for (; i < points.size() && tiles.row[i] == r; ++i) {
      const double w = points[i].weight;
      weights += w;
      n += w * points[i].n;
      within += w * tiles.within[i];
      noise += w * tiles.noise[i];
      squares += w * points[i].residual * points[i].residual;
      ws.influences[tiles.column[i]] = w * points[i].n * points[i].residual;
    }
    ws.blocks.add_row(ws.influences.data());
  }
  const double per_tile = n / weights;
  within /= weights;
  const double between = squares / weights / tukey_narrowing;
  const detail::Correlation correlation = ws.blocks.correlation();
  const detail::Inflation& found = correlation.worst;
  s.sigma = std::sqrt(within + std::max(between - within / per_tile, 0.0));
  if (s.sigma < least_sigma) s.sigma = 0;
  s.n_patches = set_patches(correlation, between * per_tile, per_tile, s.sigma, s.patches);
  s.noise_variance = noise / weights;
  s.n_pixels = static_cast<std::size_t>(std::lround(n));
  s.heterogeneity = 1 - 1 / found.factor;
  s.dof = std::max(found.blocks - static_cast<double>(s.terms()), 1.0);
  s.effective_pixels = n / found.factor;
  // Weights are in pixels, the scatter that of tiles.
  const double scale = between * per_tile * found.factor * tukey_mean_weight * tukey_variance;
  for (std::size_t i = 0; i < s.terms(); ++i) {
    for (std::size_t j = 0; j < s.terms(); ++j) s.covariance[i][j] = scale * inverse[i][j];
  }
  s.reason = selected.limit(s.at(0.5 * static_cast<double>(s.height), 0.5 * static_cast<double>(s.width)), s.sigma,
                            clipped_share_of_mean);
  return s;
}

void evaluate(const BackgroundSurface& surface, ImageView<float> out) {
  if (out.height != surface.height || out.width != surface.width) {
    throw Error(ErrorKind::input, "the map must have the shape of the frame that the surface was fitted to");
  }
  const bool known = !std::isnan(surface.sigma);
  for (std::size_t y = 0; y < out.height; ++y) {
    for (std::size_t x = 0; x < out.width; ++x) {
      out(y, x) =
          known ? static_cast<float>(surface.at(static_cast<double>(y), static_cast<double>(x))) : std::nanf("");
    }
  }
}

Background background_under(const BackgroundSurface& surface, ImageView<const std::uint8_t> region) {
  if (region.height != surface.height || region.width != surface.width) {
    throw Error(ErrorKind::input, "the region must have the shape of the frame that the surface was fitted to");
  }
  Background b;
  b.reason = surface.reason;
  b.n_pixels = surface.n_pixels;
  if (std::isnan(surface.sigma)) return b;
  Vector mean{};
  double n = 0;
  for (std::size_t y = 0; y < region.height; ++y) {
    for (std::size_t x = 0; x < region.width; ++x) {
      if (region(y, x) == 0) continue;
      const Vector basis = surface.basis(static_cast<double>(y), static_cast<double>(x));
      for (std::size_t i = 0; i < surface.terms(); ++i) mean[i] += basis[i];
      n += 1;
    }
  }
  if (n == 0)
    throw Error(ErrorKind::input, "the region marks no pixel, so there is nothing to find a background under");
  for (double& value : mean) value /= n;
  b.level = dot(mean, surface.coefficient, surface.terms());
  b.sigma = surface.sigma;
  b.dof = surface.dof;
  b.effective_pixels = surface.effective_pixels;
  b.patches = surface.patches;
  b.n_patches = surface.n_patches;
  b.sigma_error = b.sigma * std::sqrt(1 / (2 * std::max(b.effective_pixels - 1, 1.0)));
  const double variance = quadratic(surface.covariance, mean, surface.terms());
  const double white = variance * (1 - surface.heterogeneity);
  const double noise = std::min(white * surface.noise_variance / (surface.sigma * surface.sigma), white);
  const double rounding = rounding_error(surface.sigma, surface.step);
  const bool known = !std::isnan(noise);
  b.budget.pixel_noise = known || rounding > 0 ? std::sqrt((known ? noise : 0.0) + rounding * rounding) : nan;
  b.budget.sampling = std::sqrt(white - (known ? noise : 0.0));
  b.budget.heterogeneity = std::sqrt(variance * surface.heterogeneity);
  b.sem = b.budget.total();
  if (b.reason == Reason::none && !(b.level > z95 * b.sem)) b.reason = Reason::background_not_resolved;
  return b;
}

}  // namespace pyicg
