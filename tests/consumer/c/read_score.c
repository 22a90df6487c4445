/* Reads everything that a score holds, of a simulated tumour bed with one bright ring. Without arguments. */
#include <inttypes.h>
#include <pyicg/pyicg.h>
#include <stdio.h>

enum { HEIGHT = 120, WIDTH = 160 };

/* Liver of some 400 counts with grain, and a ring three times as bright. */
static void simulate(uint16_t* pixels) {
  uint32_t state = 1;
  int y, x;
  for (y = 0; y < HEIGHT; ++y) {
    for (x = 0; x < WIDTH; ++x) {
      const int square = (y - 50) * (y - 50) + (x - 90) * (x - 90);
      state = state * 1664525u + 1013904223u;
      pixels[y * WIDTH + x] = (uint16_t)((square > 20 * 20 && square < 28 * 28 ? 1200 : 400) + (state >> 27));
    }
  }
}

/* An undefined number is NaN; a finite one may carry a reason too, which limits it. */
static void print(const char* name, pyicg_measurement m) {
  printf("%s %.4g, sigma %.2g, 95 %% from %.4g to %.4g, reason %s\n", name, m.value, m.sigma, m.lo, m.hi,
         pyicg_reason_string(m.reason));
}

static const char* sign(uint32_t of) {
  return of == PYICG_SIGN_POSITIVE ? "positive" : of == PYICG_SIGN_NEGATIVE ? "negative" : "unknown";
}

static void print_score(const pyicg_frame_score* score) {
  uint64_t k;
  printf("fluorescent sign %s; at an SBR of 1.5 %s, 1.75 %s, 2.0 %s\n", sign(score->sign), sign(score->sign_at_150),
         sign(score->sign_at_175), sign(score->sign_at_200));
  print("sbr", score->sbr);
  print("cnr", score->cnr);
  print("signal_level, DN/ms", score->signal_level);
  print("background, DN/ms", score->background);
  printf("background_level %.4g, background_sigma %.2g DN/ms\n", score->background_level, score->background_sigma);
  printf("residual_area_px %.0f\n", score->residual_area_px);
  print("residual_area_mm2", score->residual_area_mm2);
  printf("saturated_fraction %.3g, focus %.3f 1/px\n", score->saturated_fraction, score->focus);
  printf("reasons of the frame:");
  for (k = 0; k < score->n_reasons; ++k) printf(" %s", pyicg_reason_string(score->reasons[k]));
  printf("\n");
}

/* At most as many as fit here: PYICG_TRUNCATED would say that there are more. */
static int print_finds(const pyicg_scorer* scorer) {
  static pyicg_hot_spot spots[16];
  static pyicg_lesion lesions[16];
  static double yx[2048];
  uint64_t k, count = 0, numbers = 0;
  if (pyicg_scorer_hot_spots(scorer, spots, 16, &count) != PYICG_OK) return 1;
  for (k = 0; k < count; ++k) {
    printf("hot spot of %.0f px, peak SBR %.2f at y %.0f, x %.0f\n", spots[k].area_px, spots[k].peak_sbr,
           spots[k].peak_y, spots[k].peak_x);
  }
  if (pyicg_scorer_lesions(scorer, lesions, 16, &count) != PYICG_OK) return 1;
  for (k = 0; k < count; ++k) {
    printf("lesion at y %.1f, x %.1f, confidence %.2f\n", lesions[k].centroid_y, lesions[k].centroid_x,
           lesions[k].confidence);
    print("  thickness_px", lesions[k].thickness_px);
    if (pyicg_scorer_contour(scorer, k, 0, yx, 2048, &numbers) != PYICG_OK) return 1;
    printf("  inner contour of %" PRIu64 " vertices, from (%.1f, %.1f) to (%.1f, %.1f)\n", numbers / 2, yx[0], yx[1],
           yx[numbers - 2], yx[numbers - 1]);
  }
  return 0;
}

int main(void) {
  static uint16_t pixels[HEIGHT * WIDTH];
  pyicg_error error = pyicg_no_error();
  pyicg_profile_data data = pyicg_identity_profile(HEIGHT, WIDTH, 4095);
  const pyicg_scorer_options options = pyicg_options_for(PYICG_VIEW_BED);
  pyicg_frame_score score = pyicg_empty_score();
  pyicg_profile* profile = NULL;
  pyicg_scorer* scorer = NULL;
  pyicg_frame frame;
  int failed = 1;
  simulate(pixels);
  frame = pyicg_frame_of(pixels, PYICG_PIXEL_U16, HEIGHT, WIDTH);
  frame.exposure_ms = 20;
  if (pyicg_profile_create(&data, &profile, &error) == PYICG_OK &&
      pyicg_scorer_create(profile, &options, &scorer, &error) == PYICG_OK &&
      pyicg_scorer_score(scorer, &frame, &score, &error) == PYICG_OK) {
    print_score(&score);
    failed = print_finds(scorer);
  } else {
    fprintf(stderr, "%s\n", error.message);
  }
  pyicg_scorer_destroy(scorer);
  pyicg_profile_destroy(profile);
  return failed;
}
