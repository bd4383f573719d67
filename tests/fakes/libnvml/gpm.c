/* Performance counters of MIG instances, as Hopper and newer have them. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "state.h"

#ifndef OLD_DRIVER

/* What a caller has allocated. `sm_util` is that of the instance at the time of
 * the sample, percent; `taken` numbers the samples: 0 if it holds none. */
struct GpmSample {
    int gpu_id;
    unsigned gpu_instance, sm_util;
    unsigned long taken;
};

static int allocated;
static unsigned long samples_taken;

/* How many samples are allocated, for tests of leaks. */
API int fakenvml_gpm_samples(void) {
    return allocated;
}

API nvmlReturn_t nvmlGpmQueryDeviceSupport(nvmlDevice_t device, GpmSupport *support) {
    ENTER_GPU(device);
    support->is_supported = at.gpu->gpm_capable;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlGpmSampleAlloc(struct GpmSample **sample) {
    ENTER_LIBRARY();
    *sample = calloc(1, sizeof **sample);
    allocated++;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlGpmSampleFree(struct GpmSample *sample) {
    ENTER_LIBRARY();
    free(sample);
    allocated--;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlGpmMigSampleGet(nvmlDevice_t device, unsigned gpu_instance,
                                     struct GpmSample *sample) {
    ENTER_GPU(device);
    if (!at.gpu->gpm_capable || !at.gpu->mig_mode) return leave(NOT_SUPPORTED);
    for (int i = 0; i < MAX_MIGS; i++) {
        const struct Mig *mig = &at.gpu->migs[i];
        if (!mig->exists || mig->gpu_instance != gpu_instance) continue;
        *sample = (struct GpmSample){at.gpu_id, gpu_instance, mig->sm_util, ++samples_taken};
        return leave(SUCCESS);
    }
    return leave(NOT_FOUND);
}

/* What was between two samples of one instance: the load is taken to have been
 * that of the second one. */
API nvmlReturn_t nvmlGpmMetricsGet(GpmMetrics *metrics) {
    ENTER_LIBRARY();
    const struct GpmSample *first = metrics->sample1, *second = metrics->sample2;
    if (metrics->version != 1) return leave(VERSION_MISMATCH);
    if (!first || !second || !first->taken || first->taken >= second->taken ||
        first->gpu_id != second->gpu_id || first->gpu_instance != second->gpu_instance)
        return leave(INVALID_ARGUMENT);
    for (unsigned i = 0; i < metrics->count; i++) {
        GpmMetric *metric = &metrics->metrics[i];
        metric->result = metric->id == GPM_METRIC_SM_UTIL ? SUCCESS : NOT_SUPPORTED;
        metric->value = second->sm_util;
    }
    return leave(SUCCESS);
}

#endif
