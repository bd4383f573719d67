/* Who shares a GPU: MIG devices and processes. */
#define _GNU_SOURCE
#include <string.h>
#include <time.h>

#include "state.h"

API nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending) {
    ENTER_GPU(device);
    if (!at.gpu->mig_capable) return leave(NOT_SUPPORTED);
    *current = at.gpu->mig_mode;
    *pending = at.gpu->mig_pending;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned *count) {
    ENTER_GPU(device);
    *count = at.gpu->mig_capable ? MAX_MIGS : 0;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index,
                                                     nvmlDevice_t *mig) {
    ENTER_GPU(device);
    if (index >= MAX_MIGS) return leave(INVALID_ARGUMENT);
    if (!at.gpu->mig_mode || !at.gpu->migs[index].exists) return leave(NOT_FOUND);
    *mig = handle_of(at.gpu_id, (int)index);
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t device,
                                                              nvmlDevice_t *parent) {
    ENTER(device);
    if (!at.mig) return leave(INVALID_ARGUMENT);
    *parent = handle_of(at.gpu_id, -1);
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned *is_mig) {
    ENTER(device);
    *is_mig = at.mig != NULL;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned *id) {
    ENTER(device);
    if (!at.mig) return leave(NOT_SUPPORTED);
    *id = at.mig->gpu_instance;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned *id) {
    ENTER(device);
    if (!at.mig) return leave(NOT_SUPPORTED);
    *id = at.mig->compute_instance;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, Attributes *attributes) {
    ENTER(device);
    if (!at.mig) return leave(NOT_SUPPORTED);
    memset(attributes, 0, sizeof *attributes);
    attributes->multiprocessors = at.mig->multiprocessors;
    attributes->gpu_slices = at.mig->gpu_slices;
    attributes->compute_slices = at.mig->compute_slices;
    attributes->memory_mb = at.mig->memory_mb;
    return leave(SUCCESS);
}

#ifndef OLD_DRIVER
static int runs_on(const struct Process *process, const struct Mig *mig) {
    return !mig || (process->gpu_instance == mig->gpu_instance &&
                    process->compute_instance == mig->compute_instance);
}

/* `count` is the room on entry and the number of processes on return; too
 * little room (or none: a NULL array asks for the number) is an error. */
API nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned *count,
                                                         ProcessInfo *processes) {
    ENTER(device);
    unsigned room = processes ? *count : 0, found = 0;
    for (int i = 0; i < at.gpu->process_count; i++) {
        const struct Process *process = &at.gpu->processes[i];
        if (!runs_on(process, at.mig)) continue;
        if (found < room)
            processes[found] = (ProcessInfo){process->pid, process->memory, process->gpu_instance,
                                             process->compute_instance};
        found++;
    }
    *count = found;
    return leave(found > room ? INSUFFICIENT_SIZE : SUCCESS);
}

/* --- samples of processes --------------------------------------------------
 *
 * A moment is a multiple of SAMPLE_EVERY_US. At each, every process that was
 * active then has a sample; the driver keeps those of the last RING_US. */

enum { SAMPLE_EVERY_US = 100000, RING_US = 10000000 };

static int was_active(const struct Process *process, uint64_t moment_us) {
    return process->sm && process->begun_us <= moment_us &&
           (!process->ended_us || moment_us < process->ended_us);
}

/* `count` is as above; no sample that is newer than `last_seen_us` is an error. */
API nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, ProcessSample *samples,
                                                 unsigned *count, uint64_t last_seen_us) {
    ENTER_GPU(device);
    if (at.gpu->mig_mode) return leave(NOT_SUPPORTED);
    uint64_t now_us = at.gpu->sample_time_us;
    if (!now_us) now_us = (uint64_t)(seconds_of(CLOCK_REALTIME) * 1e6);
    uint64_t moment_us = now_us > RING_US ? now_us - RING_US : 0;
    if (moment_us < last_seen_us) moment_us = last_seen_us;
    unsigned room = samples ? *count : 0, found = 0;
    for (moment_us -= moment_us % SAMPLE_EVERY_US; moment_us <= now_us;
         moment_us += SAMPLE_EVERY_US) {
        for (int i = 0; moment_us > last_seen_us && i < at.gpu->process_count; i++) {
            const struct Process *process = &at.gpu->processes[i];
            if (!was_active(process, moment_us)) continue;
            if (found < room)
                samples[found] = (ProcessSample){process->pid,         moment_us, process->sm,
                                                 process->memory_util, 0,         0};
            found++;
        }
    }
    /* As many as there is room for: the caller asked a moment ago. */
    if (room && found > room) found = room;
    *count = found;
    if (!found) return leave(NOT_FOUND);
    return leave(found > room ? INSUFFICIENT_SIZE : SUCCESS);
}
#endif
