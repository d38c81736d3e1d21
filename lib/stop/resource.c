// SPDX-License-Identifier: GPL-3.0-or-later
#include "stop/resource.h"

#include <math.h>

static void pass(struct stop_resource *resource)
{
    double value = resource->values[resource->next++];
    resource->newest = isfinite(value) ? value : STOP_RESOURCE_NONE;
}

double stop_resource_at(struct stop_resource *resource, int64_t step, int64_t time_us)
{
    while (resource->next < resource->count &&
           (resource->steps[resource->next] == step || resource->times_us[resource->next] <= time_us))
        pass(resource);
    return resource->newest;
}

double stop_resource_end(struct stop_resource *resource)
{
    if (resource->count > 0) {
        resource->next = resource->count - 1;
        pass(resource);
    }
    return resource->newest;
}

size_t stop_bands_reached(const int64_t *bands, size_t count, size_t reached, double units)
{
    while (reached < count && units >= (double)bands[reached])
        reached++;
    return reached;
}
