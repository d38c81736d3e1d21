// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/optim_data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <math.h>

#include "base/random.h"
#include "optim/gp.h"
#include "tests/unit/test_optim_reference.h"

const bool gp_category[] = {false, false, true};

void assert_near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("%.17g is not %.17g within %g", found, expected, tolerance);
}

void reference_theta(double *theta)
{
    for (size_t i = 0; i < GP_DIMS; i++)
        theta[i] = log(gp_scales[i]);
    theta[THETA_AMPLITUDE(GP_DIMS)] = log(GP_AMPLITUDE);
    theta[THETA_NOISE(GP_DIMS)] = log(GP_NOISE - GP_NOISE_MIN);
}

double draw(uint64_t seed, const char *name, size_t index)
{
    return random_draw_unit(seed, 0, name, (uint32_t)index);
}

void make_data(struct data *data, uint64_t seed)
{
    data->dims = 1 + (size_t)(draw(seed, "dims", 0) * DIMS_MAX);
    data->count = 2 + (size_t)(draw(seed, "count", 0) * (COUNT_MAX - 2));
    for (size_t i = 0; i < data->dims; i++) {
        data->category[i] = draw(seed, "category", i) < 0.3;
        data->theta[i] = log(0.2) + 2.5 * draw(seed, "scale", i);
    }
    data->theta[THETA_AMPLITUDE(data->dims)] = draw(seed, "amplitude", 0);
    data->theta[THETA_NOISE(data->dims)] = -6 + 5 * draw(seed, "noise", 0);
    for (size_t j = 0; j < data->count; j++) {
        data->values[j] = 4 * draw(seed, "value", j) - 2;
        data->factors[j] = draw(seed, "factor", j) < 0.1 ? 1e3 : 1;
        for (size_t i = 0; i < data->dims; i++) {
            double u = draw(seed, "point", j * data->dims + i);
            double x = data->category[i] ? floor(3 * u) : u;
            data->rows[j * data->dims + i] = data->points[i * data->count + j] = x;
        }
    }
}

struct fit_data fit_data_of(struct data *data)
{
    return (struct fit_data){.dims = data->dims,
                             .category = data->category,
                             .points = {.at = data->points, .stride = data->count, .count = data->count},
                             .values = data->values,
                             .factors = data->factors};
}
