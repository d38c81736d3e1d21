// SPDX-License-Identifier: GPL-3.0-or-later
#include <math.h>

#include "base/random.h"
#include "tests/bench/volume.h"

#define BEGIN_US INT64_C(1767225600000000) /* 2026-01-01 */
#define PERIOD_US 100000
#define JITTER_US 2000
#define SPECIALS 500 /* one value of so many is NaN or infinite */

static void draw(int run, int series, int64_t step, uint32_t words[4])
{
    const uint32_t counter[4] = {(uint32_t)step, (uint32_t)(step >> 32), (uint32_t)series, (uint32_t)run};
    const uint32_t key[2] = {3, 4};
    random_philox(counter, key, words);
}

static double uniform(const uint32_t words[4])
{
    return (double)(((uint64_t)words[0] << 32 | words[1]) >> 11) / 9007199254740992.0;
}

int64_t volume_time_us(int run, int64_t step)
{
    uint32_t words[4];
    draw(run, VOLUME_SERIES, step, words);
    return BEGIN_US + step * PERIOD_US + words[0] % JITTER_US;
}

static double realistic(int series, int64_t step, double noise)
{
    double falling = 100.0 / (double)(step + 100);
    switch (series) {
    case 0: return falling + 0.05 * noise;                            /* loss, a double */
    case 1: return (double)(float)(falling + 0.05 * noise);           /* ... or once a float */
    case 2: return (double)(float)(1 - falling + 0.01 * noise);       /* accuracy */
    case 3: return 1e-3 * (0.5 + 0.5 * cos(1e-5 * (double)step));     /* learning rate */
    case 4: return (double)(step / 1000);                             /* epoch */
    case 5: return floor(8000 + 500 * noise) / 10;                    /* samples a second */
    case 6: return floor(60 + 40 * noise);                            /* load of a processor */
    case 7: return 17179869184.0 + 4096.0 * (double)(step / 50 % 97); /* bytes in use */
    case 8: return (double)(float)(20 * noise - 10);                  /* reward */
    default: return (double)(float)exp(3 * noise);                    /* norm of a gradient */
    }
}

double volume_value(enum volume_kind kind, int run, int series, int64_t step)
{
    uint32_t words[4];
    draw(run, series, step, words);
    if (kind == VOLUME_REALISTIC)
        return realistic(series, step, uniform(words));
    if (words[3] % SPECIALS == 0) {
        static const double specials[] = {(double)NAN, (double)INFINITY, -(double)INFINITY};
        return specials[words[2] % 3];
    }
    return uniform(words);
}

const char *volume_name(int series)
{
    static const char *const names[VOLUME_SERIES] = {
        "train/loss",   "train/loss32",   "train/accuracy", "train/rate",   "train/epoch",
        "system/speed", "system/percent", "system/memory",  "train/reward", "train/norm"};
    return names[series];
}
