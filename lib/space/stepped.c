// SPDX-License-Identifier: GPL-3.0-or-later
#include "space/stepped.h"

#include <math.h>

#include "space/parameter.h"

#define EXACT_INTEGER_LIMIT 0x1p63
#define STEP_TOLERANCE 1e-9               /* of a step */
#define DRAWN_ORDINAL (UINT64_C(1) << 63) /* beyond every place in a grid */

/* arange's own step, rounded once. */
static double grid_step(const struct parameter *parameter)
{
    const double *a = parameter->arguments;
    return (a[0] + a[2]) - a[0];
}

/* The points of numpy's arange(min, max, q): max is not one of them, min always is. False also when
 * neighbours are too close together to differ. */
bool stepped_grid_count(const struct parameter *parameter, uint64_t *out_count)
{
    const double *a = parameter->arguments;
    double count = ceil((a[1] - a[0]) / a[2]);
    double farthest = fmax(fabs(a[0]), fabs(a[1]));
    if (count > 1 && (!(count < 0x1p63) || grid_step(parameter) < nextafter(farthest, INFINITY) - farthest))
        return false;
    *out_count = count < 1 ? 1 : (uint64_t)count;
    return true;
}

static double stepped_at(const struct parameter *parameter, uint64_t index)
{
    return parameter->arguments[0] + (double)index * grid_step(parameter);
}

json_t *stepped_grid_value(const struct parameter *parameter, uint64_t index)
{
    double x = stepped_at(parameter, index);
    if (parameter->whole[0] && parameter->whole[1] && parameter->whole[2] && fabs(x) < EXACT_INTEGER_LIMIT)
        return json_integer((json_int_t)x);
    return json_real(x);
}

/* The grid's points first, then the multiples of q that draws give where these differ. A tolerance, because
 * people write 0.3 and mean 3 * 0.1. */
bool stepped_locate(const struct parameter *parameter, const json_t *value, uint64_t *out_ordinal)
{
    const double *a = parameter->arguments;
    double x = json_number_value(value);
    double near = a[2] * STEP_TOLERANCE;
    uint64_t count;
    if (!json_is_number(value) || !isfinite(x))
        return false;
    double index = nearbyint((x - a[0]) / grid_step(parameter));
    if (stepped_grid_count(parameter, &count) && index >= 0 && index < (double)count &&
        fabs(stepped_at(parameter, (uint64_t)index) - x) <= near) {
        *out_ordinal = (uint64_t)index;
        return true;
    }
    double first = nearbyint(a[0] / a[2]);
    double multiple = nearbyint(x / a[2]);
    if (!(multiple >= first && multiple <= nearbyint(a[1] / a[2]) && multiple - first < 0x1p53) ||
        fabs(multiple * a[2] - x) > near)
        return false;
    *out_ordinal = DRAWN_ORDINAL | (uint64_t)(multiple - first);
    return true;
}
