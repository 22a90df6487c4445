/* The C interface from C99: statuses, sizes, and the numbers of a frame with a known answer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pyicg/pyicg.h"

static int failures = 0;

static void check(int ok, const char* expected, int line) {
  if (ok) return;
  ++failures;
  printf("%s:%d: expected %s\n", __FILE__, line, expected);
}
#define CHECK(condition) check((condition), #condition, __LINE__)

static void check_near(double found, double expected, double tolerance, int line) {
  if (fabs(found - expected) <= tolerance) return;
  ++failures;
  printf("%s:%d: found %.17g, expected %.17g\n", __FILE__, line, found, expected);
}
#define CHECK_NEAR(found, expected, tolerance) check_near(found, expected, tolerance, __LINE__)

enum { HEIGHT = 96, WIDTH = 110, PIXELS = HEIGHT * WIDTH };

static pyicg_profile_data plain_profile(void) {
  pyicg_profile_data data = pyicg_identity_profile(HEIGHT, WIDTH, 4095);
  data.calibrated = 1;
  data.exposure_ms = 10;
  return data;
}

static pyicg_scorer_options plain_options(pyicg_view view) {
  pyicg_scorer_options options = pyicg_options_for(view);
  options.pixel_size_mm = 0.1;
  return options;
}

static pyicg_frame frame_of(const uint16_t* pixels) {
  pyicg_frame frame = pyicg_frame_of(pixels, PYICG_PIXEL_U16, HEIGHT, WIDTH);
  frame.timestamp_ns = 123456789;
  return frame;
}

/* A rim from radius 16 to 28 of SBR 3 around a core of SBR 0.8, background 500 DN. */
static void annulus(uint16_t* pixels) {
  int y, x;
  for (y = 0; y < HEIGHT; ++y) {
    for (x = 0; x < WIDTH; ++x) {
      const double r = hypot(y - 47.0, x - 55.0);
      pixels[y * WIDTH + x] = r < 16 ? 400 : r < 28 ? 1500 : 500;
    }
  }
}

/* Version 1 of the layout, on machines with 8-byte pointers. */
static void layout(void) {
  CHECK(sizeof(pyicg_error) == 512);
  CHECK(sizeof(pyicg_measurement) == 40);
  CHECK(sizeof(pyicg_scorer_options) == 56 + 4 * sizeof(void*));
  CHECK(offsetof(pyicg_scorer_options, without_lesions) == 48); /* the size of the first version */
  CHECK(sizeof(pyicg_frame_score) == 752);
  CHECK(offsetof(pyicg_frame_score, isotropy) == 736); /* the size of the first version */
  CHECK(sizeof(pyicg_lesion) == 224);
  CHECK(sizeof(pyicg_hot_spot) == 32);
  if (sizeof(void*) == 8) {
    CHECK(sizeof(pyicg_profile_data) == 216);
    CHECK(sizeof(pyicg_frame) == 64);
  }
}

static void words(void) {
  uint32_t reason;
  CHECK(pyicg_abi_version() == PYICG_ABI_VERSION);
  CHECK(strchr(pyicg_version_string(), '.') != NULL);
  CHECK(strcmp(pyicg_status_string(PYICG_OK), "ok") == 0);
  CHECK(strcmp(pyicg_status_string(PYICG_ERROR_BUSY), "error_busy") == 0);
  CHECK(pyicg_status_string(PYICG_ERROR_BUSY + 1) == NULL);
  CHECK(strcmp(pyicg_reason_string(PYICG_REASON_NONE), "none") == 0);
  CHECK(strcmp(pyicg_reason_string(PYICG_REASON_CLIPPED_BY_BORDER), "clipped_by_border") == 0);
  for (reason = 0; reason <= PYICG_REASON_LESIONS_NOT_SOUGHT; ++reason) CHECK(pyicg_reason_string(reason) != NULL);
  CHECK(strcmp(pyicg_reason_string(PYICG_REASON_NOT_LINEAR), "not_linear") == 0);
  CHECK(strcmp(pyicg_reason_string(PYICG_REASON_LOW_CONFIDENCE), "low_confidence") == 0);
  CHECK(pyicg_reason_string(PYICG_REASON_LESIONS_NOT_SOUGHT + 1) == NULL);
  CHECK(pyicg_reason_string(UINT32_MAX) == NULL);
}

static pyicg_status create_profile(const pyicg_profile_data* data, pyicg_error* error) {
  pyicg_profile* profile = NULL;
  const pyicg_status status = pyicg_profile_create(data, &profile, error);
  CHECK((status == PYICG_OK) == (profile != NULL));
  pyicg_profile_destroy(profile);
  return status;
}

static void profiles(pyicg_error* error) {
  pyicg_profile_data data = plain_profile();
  float map[PIXELS + 1];
  pyicg_error small;
  size_t i;
  for (i = 0; i < PIXELS + 1; ++i) map[i] = 1;
  CHECK(create_profile(&data, error) == PYICG_OK);
  CHECK(create_profile(&data, NULL) == PYICG_OK);
  CHECK(create_profile(NULL, error) == PYICG_ERROR_ARGUMENT);
  CHECK(error->status == PYICG_ERROR_ARGUMENT);
  CHECK(strstr(error->message, "NULL") != NULL);
  CHECK(pyicg_profile_create(&data, NULL, error) == PYICG_ERROR_ARGUMENT);
  pyicg_profile_destroy(NULL);

  data.struct_size += 8; /* a later, longer struct begins with this one */
  CHECK(create_profile(&data, error) == PYICG_OK);
  data.struct_size = sizeof data - 1;
  CHECK(create_profile(&data, error) == PYICG_ERROR_ARGUMENT);
  CHECK(strstr(error->message, "struct_size") != NULL);

  data = plain_profile();
  data.dark = map;
  data.flat = map;
  CHECK(create_profile(&data, error) == PYICG_OK);
  data.dark = (const float*)(const void*)((const char*)map + 1);
  CHECK(create_profile(&data, error) == PYICG_ERROR_ARGUMENT);
  data.dark = NULL;
  map[7] = 0;
  CHECK(create_profile(&data, error) == PYICG_ERROR_PROFILE);
  CHECK(strstr(error->message, "index 7") != NULL);
  CHECK(create_profile(&data, NULL) == PYICG_ERROR_PROFILE);

  data = plain_profile();
  data.height = 0;
  CHECK(create_profile(&data, error) == PYICG_ERROR_PROFILE);
  data.height = UINT64_C(1) << 33; /* a product that wraps to 0 */
  data.width = UINT64_C(1) << 31;
  CHECK(create_profile(&data, error) == PYICG_ERROR_ARGUMENT);

  data = plain_profile();
  small.struct_size = sizeof small - 1;
  small.status = 77;
  CHECK(create_profile(&data, &small) == PYICG_ERROR_ARGUMENT);
  CHECK(small.status == 77); /* too small a struct is not written to */
}

/* Maps of variance and dark current, and a table of linearity. */
static void profile_members(pyicg_error* error) {
  pyicg_profile_data data = plain_profile();
  float map[PIXELS];
  const double table[3] = {0, 100, 190};
  const double falling[3] = {0, 100, 90};
  const float** maps[6];
  size_t i;
  maps[0] = &data.dark_rate; /* these three need the map of what they are the rate or sigma of */
  maps[1] = &data.dark_sigma;
  maps[2] = &data.flat_sigma;
  maps[3] = &data.read_noise_map;
  maps[4] = &data.gain_map;
  maps[5] = &data.flat;
  for (i = 0; i < PIXELS; ++i) map[i] = 1;
  data.dark = data.flat = map;
  for (i = 0; i < 6; ++i) {
    *maps[i] = map;
    CHECK(create_profile(&data, error) == PYICG_OK);
    *maps[i] = (const float*)(const void*)((const char*)map + 1);
    CHECK(create_profile(&data, error) == PYICG_ERROR_ARGUMENT);
    map[9] = NAN;
    *maps[i] = map;
    CHECK(create_profile(&data, error) == PYICG_ERROR_PROFILE);
    map[9] = 1;
    *maps[i] = NULL;
  }
  map[3] = -1;
  data.gain_map = map;
  CHECK(create_profile(&data, error) == PYICG_ERROR_PROFILE);
  CHECK(strstr(error->message, "gain_map is -1 at index 3") != NULL);

  data = plain_profile();
  data.linearity_table = table;
  CHECK(create_profile(&data, error) == PYICG_ERROR_ARGUMENT); /* no size */
  data.linearity_table_size = 3;
  CHECK(create_profile(&data, error) == PYICG_ERROR_PROFILE); /* no step */
  CHECK(strstr(error->message, "linearity_step_dn") != NULL);
  data.linearity_step_dn = 100;
  CHECK(create_profile(&data, error) == PYICG_OK);
  data.linearity_table_size = UINT64_MAX;
  CHECK(create_profile(&data, error) == PYICG_ERROR_ARGUMENT);
  data.linearity_table_size = 3;
  data.linearity_table = falling;
  CHECK(create_profile(&data, error) == PYICG_ERROR_PROFILE);
  CHECK(strstr(error->message, "from 100 to 90") != NULL);
  data.linearity_table = NULL;
  CHECK(create_profile(&data, error) == PYICG_ERROR_ARGUMENT); /* a size alone */

  data = plain_profile();
  data.dark_mean_exposure_ms = 10;
  CHECK(create_profile(&data, error) == PYICG_ERROR_PROFILE);
  data.dark_exposure_sd_ms = 5;
  CHECK(create_profile(&data, error) == PYICG_ERROR_PROFILE); /* of no dark rate */
  data.dark = data.dark_rate = map;
  CHECK(create_profile(&data, error) == PYICG_OK);
  data.response_nm_per_dn_ms = 0;
  CHECK(create_profile(&data, error) == PYICG_ERROR_PROFILE);
}

static pyicg_status create_scorer(const pyicg_profile* profile, const pyicg_scorer_options* options,
                                  pyicg_error* error) {
  pyicg_scorer* scorer = NULL;
  const pyicg_status status = pyicg_scorer_create(profile, options, &scorer, error);
  CHECK((status == PYICG_OK) == (scorer != NULL));
  pyicg_scorer_destroy(scorer);
  return status;
}

static void scorers(const pyicg_profile* profile, pyicg_error* error) {
  pyicg_scorer_options options = plain_options(PYICG_VIEW_BED);
  CHECK(create_scorer(profile, &options, error) == PYICG_OK);
  CHECK(create_scorer(NULL, &options, error) == PYICG_ERROR_ARGUMENT);
  CHECK(create_scorer(profile, NULL, error) == PYICG_ERROR_ARGUMENT);
  CHECK(pyicg_scorer_create(profile, &options, NULL, error) == PYICG_ERROR_ARGUMENT);
  pyicg_scorer_destroy(NULL);
  options.view = 2;
  CHECK(create_scorer(profile, &options, error) == PYICG_ERROR_ARGUMENT);
  options = plain_options(PYICG_VIEW_SECTION);
  options.struct_size = offsetof(pyicg_scorer_options, without_lesions) - 1;
  CHECK(create_scorer(profile, &options, error) == PYICG_ERROR_ARGUMENT);
  options.struct_size += 1; /* the first version: what lies behind it is not read */
  options.without_lesions = 2;
  CHECK(create_scorer(profile, &options, error) == PYICG_OK);
  options.struct_size = sizeof options;
  CHECK(create_scorer(profile, &options, error) == PYICG_ERROR_ARGUMENT);
  CHECK(strstr(error->message, "without_lesions") != NULL);
  options.without_lesions = 1; /* a section is measured by its lesions */
  CHECK(create_scorer(profile, &options, error) == PYICG_ERROR_INPUT);
  options.view = PYICG_VIEW_BED;
  options.threads = 2;
  CHECK(create_scorer(profile, &options, error) == PYICG_OK);
  options = plain_options(PYICG_VIEW_SECTION);
  options.sbr_cut = 1;
  CHECK(create_scorer(profile, &options, error) == PYICG_ERROR_INPUT);
  options.sbr_cut = 1.5;
  options.pixel_size_mm = 0;
  CHECK(create_scorer(profile, &options, error) == PYICG_ERROR_UNIT);
}

static void frames(pyicg_scorer* scorer, pyicg_error* error) {
  uint16_t* pixels = malloc(PIXELS * sizeof *pixels);
  pyicg_frame frame;
  pyicg_frame_score score = pyicg_empty_score();
  uint64_t count = 99;
  const int64_t row = WIDTH * (int64_t)sizeof *pixels;
  if (pixels == NULL) {
    CHECK(pixels != NULL);
    return;
  }
  annulus(pixels);
  frame = frame_of(pixels);
  CHECK(pyicg_scorer_lesions(scorer, NULL, 0, &count) == PYICG_OK && count == 0); /* nothing scored yet */
  CHECK(pyicg_scorer_data(scorer, NULL, 0, &count) == PYICG_OK && count == 0);
  CHECK(pyicg_scorer_contour(scorer, 0, 0, NULL, 0, &count) == PYICG_ERROR_ARGUMENT);
  CHECK(pyicg_scorer_score(NULL, &frame, &score, error) == PYICG_ERROR_ARGUMENT);
  CHECK(pyicg_scorer_score(scorer, NULL, &score, error) == PYICG_ERROR_ARGUMENT);
  CHECK(pyicg_scorer_score(scorer, &frame, NULL, error) == PYICG_ERROR_ARGUMENT);

#define REFUSED(change, expected)                                         \
  do {                                                                    \
    frame = frame_of(pixels);                                             \
    change;                                                               \
    CHECK(pyicg_scorer_score(scorer, &frame, &score, error) == expected); \
    CHECK(error->status == (uint32_t)expected);                           \
  } while (0)
  REFUSED(frame.struct_size -= 4, PYICG_ERROR_ARGUMENT);
  REFUSED(frame.data = NULL, PYICG_ERROR_ARGUMENT);
  REFUSED(frame.data = (const char*)pixels + 1, PYICG_ERROR_ARGUMENT);
  REFUSED(frame.pixel_format = 0, PYICG_ERROR_ARGUMENT);
  REFUSED(frame.pixel_format = 6, PYICG_ERROR_ARGUMENT);
  REFUSED(frame.stride_bytes = row - 2, PYICG_ERROR_ARGUMENT);
  REFUSED(frame.stride_bytes = 2 - row, PYICG_ERROR_ARGUMENT);
  REFUSED(frame.stride_bytes = 0, PYICG_ERROR_ARGUMENT);
  REFUSED(frame.stride_bytes = row + 1, PYICG_ERROR_ARGUMENT);
  REFUSED(frame.stride_bytes = INT64_MIN, PYICG_ERROR_ARGUMENT);
  REFUSED(frame.height = UINT64_MAX, PYICG_ERROR_ARGUMENT);
  REFUSED(frame.width = UINT64_MAX, PYICG_ERROR_ARGUMENT);
  REFUSED(frame.height -= 1, PYICG_ERROR_INPUT);
  REFUSED(frame.width -= 1, PYICG_ERROR_INPUT);
  REFUSED(frame.exposure_ms = 0, PYICG_ERROR_UNIT);
#undef REFUSED
  frame = frame_of(pixels);
  score.struct_size = 8;
  CHECK(pyicg_scorer_score(scorer, &frame, &score, error) == PYICG_ERROR_ARGUMENT);
  pixels[5] = 4096; /* more than 12 bits */
  score = pyicg_empty_score();
  CHECK(pyicg_scorer_score(scorer, &frame, &score, error) == PYICG_ERROR_INPUT);
  CHECK(strstr(error->message, "4096") != NULL);
  free(pixels);
}

static void numbers(pyicg_scorer* scorer, pyicg_error* error) {
  uint16_t pixels[PIXELS];
  uint16_t bottom_up[PIXELS];
  float data[PIXELS];
  uint8_t mask[PIXELS];
  double contour[2 * 720];
  pyicg_frame frame;
  pyicg_frame_score score = pyicg_empty_score();
  pyicg_frame_score again = pyicg_empty_score();
  pyicg_lesion lesion;
  uint64_t count = 0;
  uint64_t i;
  int y;
  annulus(pixels);
  frame = frame_of(pixels);
  CHECK(pyicg_scorer_score(scorer, &frame, &score, error) == PYICG_OK);
  CHECK(score.struct_size == sizeof score);
  CHECK(score.timestamp_ns == 123456789);
  CHECK(score.calibrated == 1);
  CHECK_NEAR(score.background_level, 50, 1e-6);
  CHECK_NEAR(score.sbr.value, 3, 1e-6);
  CHECK_NEAR(score.weber.value, 2, 1e-6);
  CHECK_NEAR(score.michelson.value, 0.5, 1e-6);
  CHECK(score.sign == PYICG_SIGN_UNKNOWN); /* a section has none */
  CHECK(isnan(score.residual_area_px));
  CHECK(score.n_lesions == 1 && score.n_hot_spots == 0 && score.n_reasons == 0);

  CHECK(pyicg_scorer_lesions(scorer, NULL, 0, &count) == PYICG_TRUNCATED && count == 1);
  CHECK(pyicg_scorer_lesions(scorer, &lesion, 1, &count) == PYICG_OK && count == 1);
  CHECK(pyicg_scorer_lesions(scorer, NULL, 1, &count) == PYICG_ERROR_ARGUMENT);
  CHECK(pyicg_scorer_lesions(scorer, &lesion, 1, NULL) == PYICG_ERROR_ARGUMENT);
  CHECK(pyicg_scorer_lesions(NULL, &lesion, 1, &count) == PYICG_ERROR_ARGUMENT);
  CHECK_NEAR(lesion.centroid_y, 47, 1e-9);
  CHECK_NEAR(lesion.centroid_x, 55, 1e-9);
  CHECK_NEAR(lesion.thickness_px.value, 12, 0.15);
  CHECK_NEAR(lesion.thickness_mm.value, 0.1 * lesion.thickness_px.value, 1e-12);
  CHECK_NEAR(lesion.area_px, 3.14159265 * 256, 20);
  CHECK_NEAR(lesion.completeness, 1, 0);
  CHECK(lesion.n_vertices >= 64 && lesion.n_vertices % 4 == 0);

  for (y = 0; y <= 1; ++y) { /* inner, outer */
    CHECK(pyicg_scorer_contour(scorer, 0, y, contour, 1440, &count) == PYICG_OK);
    CHECK(count == 2 * lesion.n_vertices);
    for (i = 0; i < count; i += 2) CHECK_NEAR(hypot(contour[i] - 47, contour[i + 1] - 55), y == 0 ? 15.5 : 27.5, 0.8);
  }
  contour[3] = -1;
  CHECK(pyicg_scorer_contour(scorer, 0, 0, contour, 3, &count) == PYICG_TRUNCATED);
  CHECK(contour[3] == -1); /* nothing beyond the capacity */
  CHECK(pyicg_scorer_contour(scorer, 1, 0, contour, 3, &count) == PYICG_ERROR_ARGUMENT);
  CHECK(pyicg_scorer_contour(scorer, 0, 2, contour, 3, &count) == PYICG_ERROR_ARGUMENT);

  CHECK(pyicg_scorer_data(scorer, data, PIXELS, &count) == PYICG_OK && count == PIXELS);
  CHECK(pyicg_scorer_mask(scorer, mask, PIXELS, &count) == PYICG_OK && count == PIXELS);
  CHECK(pyicg_scorer_mask(scorer, mask, 1, &count) == PYICG_TRUNCATED && count == PIXELS);
  for (i = 0; i < PIXELS; ++i) {
    CHECK_NEAR(data[i], pixels[i] / 10.0, 1e-4);
    CHECK(mask[i] == 0);
  }

  for (y = 0; y < HEIGHT; ++y) memcpy(bottom_up + (HEIGHT - 1 - y) * WIDTH, pixels + y * WIDTH, WIDTH * sizeof *pixels);
  frame.data = bottom_up + (HEIGHT - 1) * WIDTH;
  frame.stride_bytes = -frame.stride_bytes;
  CHECK(pyicg_scorer_score(scorer, &frame, &again, error) == PYICG_OK);
  CHECK(memcmp(&again.sbr, &score.sbr, sizeof score.sbr) == 0 && again.focus == score.focus);
  CHECK(again.isotropy == score.isotropy && again.glare_fraction == 0);

  memset(&again, 0x55, sizeof again); /* a caller built against the first version */
  again.struct_size = offsetof(pyicg_frame_score, isotropy);
  CHECK(pyicg_scorer_score(scorer, &frame, &again, error) == PYICG_OK);
  CHECK(again.struct_size == 736 && again.focus == score.focus && again.n_reasons == 0);
  for (i = 736; i < sizeof again; ++i) CHECK(((const unsigned char*)&again)[i] == 0x55);

  frame.exposure_ms = -1; /* a failed score leaves nothing to read */
  CHECK(pyicg_scorer_score(scorer, &frame, &again, error) == PYICG_ERROR_UNIT);
  CHECK(pyicg_scorer_lesions(scorer, NULL, 0, &count) == PYICG_OK && count == 0);
  CHECK(pyicg_scorer_mask(scorer, NULL, 0, &count) == PYICG_OK && count == 0);
}

static void hot_spots(const pyicg_profile* profile, pyicg_error* error) {
  uint16_t pixels[PIXELS];
  pyicg_frame frame;
  pyicg_frame_score score = pyicg_empty_score();
  pyicg_hot_spot spots[2];
  pyicg_scorer_options options = plain_options(PYICG_VIEW_BED);
  pyicg_scorer* scorer = NULL;
  uint64_t count = 0;
  int y, x;
  for (y = 0; y < HEIGHT; ++y) {
    for (x = 0; x < WIDTH; ++x) {
      pixels[y * WIDTH + x] = hypot(y - 25.0, x - 25.0) < 12 ? 1000 : hypot(y - 65.0, x - 75.0) < 15 ? 2000 : 500;
    }
  }
  CHECK(pyicg_scorer_create(profile, &options, &scorer, error) == PYICG_OK);
  frame = frame_of(pixels);
  CHECK(pyicg_scorer_score(scorer, &frame, &score, error) == PYICG_OK);
  CHECK(score.sign == PYICG_SIGN_POSITIVE && score.sign_at_150 == PYICG_SIGN_POSITIVE);
  CHECK(score.sign_at_200 == PYICG_SIGN_POSITIVE);
  CHECK(score.n_hot_spots == 2);
  CHECK(pyicg_scorer_hot_spots(scorer, spots, 1, &count) == PYICG_TRUNCATED && count == 2);
  CHECK(pyicg_scorer_hot_spots(scorer, spots, 2, &count) == PYICG_OK && count == 2);
  CHECK(pyicg_scorer_hot_spots(NULL, spots, 2, &count) == PYICG_ERROR_ARGUMENT);
  CHECK_NEAR(spots[0].peak_sbr, 4, 1e-5);
  CHECK_NEAR(spots[1].peak_sbr, 2, 1e-5);
  CHECK_NEAR(score.residual_area_px, spots[0].area_px + spots[1].area_px, 0);
  CHECK_NEAR(score.residual_area_mm2.value, 0.01 * score.residual_area_px, 1e-9);
  CHECK_NEAR(score.sbr.value, 4, 1e-5);
  pyicg_scorer_destroy(scorer);
}

/* One row has no stride; pixels of the other formats. */
static void formats(pyicg_error* error) {
  pyicg_profile_data data = plain_profile();
  pyicg_scorer_options options = plain_options(PYICG_VIEW_BED);
  pyicg_profile* profile = NULL;
  pyicg_scorer* scorer = NULL;
  pyicg_frame frame;
  pyicg_frame_score score = pyicg_empty_score();
  uint8_t bytes[40];
  float floats[40];
  uint8_t mask[40];
  uint64_t count = 0;
  int i;
  data.height = 1;
  data.width = 40;
  CHECK(pyicg_profile_create(&data, &profile, error) == PYICG_OK);
  CHECK(pyicg_scorer_create(profile, &options, &scorer, error) == PYICG_OK);
  pyicg_profile_destroy(profile); /* the scorer holds a share */
  for (i = 0; i < 40; ++i) {
    bytes[i] = 100;
    floats[i] = 100;
  }
  frame = frame_of(NULL);
  frame.height = 1;
  frame.width = 40;
  frame.stride_bytes = 0;
  frame.pixel_format = PYICG_PIXEL_U8;
  frame.data = bytes;
  CHECK(pyicg_scorer_score(scorer, &frame, &score, error) == PYICG_OK);
  CHECK_NEAR(score.background_level, 10, 1e-6);
  floats[3] = NAN;
  frame.pixel_format = PYICG_PIXEL_F32;
  frame.data = floats;
  CHECK(pyicg_scorer_score(scorer, &frame, &score, error) == PYICG_OK);
  CHECK_NEAR(score.background_level, 10, 1e-6);
  CHECK(pyicg_scorer_mask(scorer, mask, 40, &count) == PYICG_OK);
  CHECK(mask[3] == PYICG_MASK_NOT_FINITE && mask[4] == 0);
  pyicg_scorer_destroy(scorer);
}

int main(void) {
  pyicg_error error = pyicg_no_error();
  pyicg_profile_data data = plain_profile();
  pyicg_scorer_options options = plain_options(PYICG_VIEW_SECTION);
  pyicg_profile* profile = NULL;
  pyicg_scorer* scorer = NULL;
  layout();
  words();
  profiles(&error);
  profile_members(&error);
  CHECK(pyicg_profile_create(&data, &profile, &error) == PYICG_OK);
  scorers(profile, &error);
  CHECK(pyicg_scorer_create(profile, &options, &scorer, &error) == PYICG_OK);
  frames(scorer, &error);
  numbers(scorer, &error);
  hot_spots(profile, &error);
  formats(&error);
  pyicg_scorer_destroy(scorer);
  pyicg_profile_destroy(profile);
  return failures < 255 ? failures : 255;
}
