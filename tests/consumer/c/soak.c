/* Scores small frames for a long time and tells how much memory the process has gained since the first thousand.
 * Usage: soak FRAMES, on Linux. */
#include <pyicg/pyicg.h>
#include <stdio.h>
#include <stdlib.h>

enum { HEIGHT = 48, WIDTH = 56, KINDS = 7 };

static long resident_kb(void) {
  char line[256];
  long kb = -1;
  FILE* file = fopen("/proc/self/status", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "VmRSS: %ld", &kb) == 1) break;
  }
  if (file != NULL) fclose(file);
  return kb;
}

/* A square of SBR 3 that grows from frame to frame, in a grain that is another each time. */
static void fill(uint16_t* pixels, int kind) {
  uint32_t state = (uint32_t)kind + 1;
  int y, x;
  for (y = 0; y < HEIGHT; ++y) {
    for (x = 0; x < WIDTH; ++x) {
      state = state * 1664525u + 1013904223u;
      pixels[y * WIDTH + x] =
          (uint16_t)((abs(y - 24) < 2 * kind && abs(x - 28) < 2 * kind ? 1200 : 400) + (state >> 27));
    }
  }
}

int main(int argc, char** argv) {
  static uint16_t pixels[KINDS][HEIGHT * WIDTH];
  const long frames = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
  pyicg_error error = pyicg_no_error();
  const pyicg_profile_data data = pyicg_identity_profile(HEIGHT, WIDTH, 4095);
  pyicg_scorer_options options = pyicg_options_for(PYICG_VIEW_BED);
  pyicg_profile* profile = NULL;
  pyicg_scorer* scorer = NULL;
  long k, before = 0, positive = 0;
  if (frames < 1000) {
    fprintf(stderr, "usage: %s FRAMES, at least 1000\n", argv[0]);
    return 2;
  }
  options.without_lesions = 1;
  for (k = 0; k < KINDS; ++k) fill(pixels[k], (int)k);
  if (pyicg_profile_create(&data, &profile, &error) != PYICG_OK ||
      pyicg_scorer_create(profile, &options, &scorer, &error) != PYICG_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 1;
  }
  for (k = 0; k < frames; ++k) {
    pyicg_frame frame = pyicg_frame_of(pixels[k % KINDS], PYICG_PIXEL_U16, HEIGHT, WIDTH);
    pyicg_frame_score score = pyicg_empty_score();
    if (k % 10 == 9) frame.exposure_ms = -1; /* and one in ten is refused */
    if ((pyicg_scorer_score(scorer, &frame, &score, &error) == PYICG_OK) == (k % 10 == 9)) {
      fprintf(stderr, "frame %ld: %s\n", k, error.message);
      return 1;
    }
    positive += score.sign == PYICG_SIGN_POSITIVE;
    if (k == 999) before = resident_kb();
  }
  printf("frames %ld\nfluorescent %ld\ngrowth_kb %ld\n", frames, positive, resident_kb() - before);
  pyicg_scorer_destroy(scorer);
  pyicg_profile_destroy(profile);
  return 0;
}
