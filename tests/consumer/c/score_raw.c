/* Scores a cut face of a specimen from a raw file through the C interface, uncalibrated.
 * Usage: score_raw FRAME.raw HEIGHT WIDTH SATURATION_DN, with 16-bit pixels in native byte order. */
#include <inttypes.h>
#include <pyicg/pyicg.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char* what, const pyicg_error* error) {
  fprintf(stderr, "%s: %s (%s)\n", what, error->message, pyicg_status_string(error->status));
  return 1;
}

static uint16_t* read_pixels(const char* path, size_t count) {
  uint16_t* pixels = malloc(count * sizeof *pixels);
  FILE* file = fopen(path, "rb");
  if (pixels != NULL && (file == NULL || fread(pixels, sizeof *pixels, count, file) != count)) {
    free(pixels);
    pixels = NULL;
  }
  if (file != NULL) fclose(file);
  return pixels;
}

static int print_score(const pyicg_scorer* scorer, const pyicg_frame_score* score) {
  uint64_t i, count = 0;
  pyicg_lesion* lesions = calloc((size_t)score->n_lesions + 1, sizeof *lesions);
  if (lesions == NULL || pyicg_scorer_lesions(scorer, lesions, score->n_lesions, &count) != PYICG_OK) {
    free(lesions);
    return 1;
  }
  printf("background %.17g\n", score->background_level);
  printf("sbr %.17g\n", score->sbr.value);
  printf("focus %.17g\n", score->focus);
  printf("lesions %" PRIu64 "\n", count);
  for (i = 0; i < count; ++i) printf("thickness %.17g\n", lesions[i].thickness_px.value);
  free(lesions);
  return 0;
}

static int score(pyicg_scorer* scorer, const char* path, uint64_t height, uint64_t width) {
  pyicg_error error = pyicg_no_error();
  pyicg_frame frame;
  pyicg_frame_score result;
  uint16_t* pixels = read_pixels(path, (size_t)(height * width));
  int failed;
  if (pixels == NULL) {
    fprintf(stderr, "%s: cannot be read\n", path);
    return 1;
  }
  frame = pyicg_frame_of(pixels, PYICG_PIXEL_U16, height, width); /* never copied, never kept */
  result = pyicg_empty_score();
  failed = pyicg_scorer_score(scorer, &frame, &result, &error) == PYICG_OK ? print_score(scorer, &result)
                                                                           : fail("score", &error);
  free(pixels);
  return failed;
}

int main(int argc, char** argv) {
  pyicg_error error = pyicg_no_error();
  const pyicg_scorer_options options = pyicg_options_for(PYICG_VIEW_SECTION);
  pyicg_profile_data data;
  pyicg_profile* profile = NULL;
  pyicg_scorer* scorer = NULL;
  int failed;
  if (argc != 5) {
    fprintf(stderr, "usage: %s FRAME.raw HEIGHT WIDTH SATURATION_DN\n", argv[0]);
    return 2;
  }
  if (pyicg_abi_version() != PYICG_ABI_VERSION) {
    fprintf(stderr, "built for ABI %u, running with %u\n", PYICG_ABI_VERSION, pyicg_abi_version());
    return 1;
  }
  data = pyicg_identity_profile(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), strtod(argv[4], NULL));
  if (pyicg_profile_create(&data, &profile, &error) != PYICG_OK) return fail("profile", &error);
  if (pyicg_scorer_create(profile, &options, &scorer, &error) != PYICG_OK) {
    pyicg_profile_destroy(profile);
    return fail("scorer", &error);
  }
  pyicg_profile_destroy(profile); /* the scorer holds a share */
  failed = score(scorer, argv[1], data.height, data.width);
  pyicg_scorer_destroy(scorer);
  return failed;
}
