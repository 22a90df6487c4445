// Scores a cut face of a specimen from a raw file with the C++ core.
// Usage: score_raw FRAME.raw HEIGHT WIDTH SATURATION_DN, with 16-bit pixels in native byte order.
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <pyicg/scorer.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

std::vector<std::uint16_t> read_pixels(const std::string& path, std::size_t count) {
  std::vector<std::uint16_t> pixels(count);
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(pixels.data()), static_cast<std::streamsize>(count * sizeof pixels[0]))) {
    throw std::runtime_error(path + ": cannot be read");
  }
  return pixels;
}

void print_score(const pyicg::FrameScore& score) {
  std::printf("background %.17g\n", score.background.level);
  std::printf("sbr %.17g\n", score.contrast.sbr.value);
  std::printf("focus %.17g\n", score.quality.focus);
  std::printf("lesions %zu\n", score.lesions.size());
  for (const pyicg::Lesion& lesion : score.lesions) std::printf("thickness %.17g\n", lesion.mean_thickness.value);
}

int score(const std::vector<std::string>& arguments) {
  pyicg::ProfileData data;  // counts alone, no calibration: every result says so
  data.height = std::stoul(arguments[1]);
  data.width = std::stoul(arguments[2]);
  data.saturation_dn = std::stod(arguments[3]);
  const auto profile = std::make_shared<const pyicg::Profile>(data);
  pyicg::ScorerOptions options;
  options.view = pyicg::View::section;
  pyicg::Scorer scorer(profile, options);

  const auto pixels = read_pixels(arguments[0], data.height * data.width);
  print_score(scorer.score(pyicg::ImageView(pixels.data(), data.height, data.width), {}));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s FRAME.raw HEIGHT WIDTH SATURATION_DN\n", argv[0]);
    return 2;
  }
  try {
    return score({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
