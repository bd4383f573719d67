/* What it draws and does: power, energy, load, memory, temperature, limits. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "state.h"

API nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *power_mw) {
    ENTER_GPU(device);
    *power_mw = at.gpu->power_mw;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t device, unsigned *limit_mw) {
    ENTER_GPU(device);
    *limit_mw = at.gpu->limit_mw;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetPowerManagementLimit(nvmlDevice_t device, unsigned *limit_mw) {
    ENTER_GPU(device);
    *limit_mw = at.gpu->limit_mw;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device,
                                                              unsigned *min_mw, unsigned *max_mw) {
    ENTER_GPU(device);
    *min_mw = at.gpu->min_limit_mw;
    *max_mw = at.gpu->max_limit_mw;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, Utilization *percent) {
    ENTER_GPU(device);
    if (at.gpu->mig_mode) return leave(NOT_SUPPORTED);
    percent->gpu = at.gpu->utilization;
    percent->memory = at.gpu->memory_utilization;
    return leave(SUCCESS);
}

static uint64_t memory_used(const struct View *at) {
    if (!at->mig) return at->gpu->memory_used;
    uint64_t used = 0;
    for (int i = 0; i < at->gpu->process_count; i++) {
        const struct Process *process = &at->gpu->processes[i];
        if (process->gpu_instance == at->mig->gpu_instance) used += process->memory;
    }
    return used;
}

API nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, Memory *memory) {
    ENTER(device);
    memory->total = at.mig ? at.mig->memory_mb << 20 : at.gpu->memory_total;
    memory->used = memory_used(&at);
    memory->free = memory->total - memory->used;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, unsigned sensor, unsigned *celsius) {
    ENTER_GPU(device);
    if (sensor != 0) return leave(INVALID_ARGUMENT);
    *celsius = (unsigned)at.gpu->temperature;
    return leave(SUCCESS);
}

#ifndef OLD_DRIVER
static uint64_t energy_mj(const struct Gpu *gpu) {
    double since = seconds_of(CLOCK_MONOTONIC) - gpu->energy_t0;
    double rate_mw = since < 0 ? gpu->rate_before_mw : gpu->rate_mw;
    double energy = gpu->energy_mj + rate_mw * since;
    return energy > 0 ? (uint64_t)energy : 0;
}

API nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, uint64_t *energy) {
    ENTER_GPU(device);
    *energy = energy_mj(at.gpu);
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, MemoryV2 *memory) {
    ENTER(device);
    if (memory->version != MEMORY_V2) return leave(VERSION_MISMATCH);
    memory->total = at.mig ? at.mig->memory_mb << 20 : at.gpu->memory_total;
    memory->used = memory_used(&at);
    memory->reserved = 0;
    memory->free = memory->total - memory->used;
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, Temperature *temperature) {
    ENTER_GPU(device);
    if (temperature->version != TEMPERATURE_V1) return leave(VERSION_MISMATCH);
    temperature->celsius = at.gpu->temperature;
    return leave(SUCCESS);
}

/* A GPU that is no superchip reports its power in the GPU scope only. */
static unsigned power_in_scope(const struct Gpu *gpu, unsigned scope) {
    switch (scope) {
    case SCOPE_GPU: return gpu->gpu_scope_mw;
    case SCOPE_MODULE: return gpu->module_scope_mw;
    case SCOPE_MEMORY: return gpu->memory_scope_mw;
    default: return UNREPORTED;
    }
}

static void answer_field(const struct Gpu *gpu, Field *field) {
    unsigned power_mw = UNREPORTED;
    switch (field->id) {
    case FIELD_TOTAL_ENERGY:
        field->type = VALUE_UNSIGNED_LONG_LONG;
        field->value.ull = energy_mj(gpu);
        return;
    case FIELD_POWER_AVERAGE:
    case FIELD_POWER_INSTANT: power_mw = power_in_scope(gpu, field->scope); break;
    case FIELD_POWER_MIN_LIMIT: power_mw = gpu->min_limit_mw; break;
    case FIELD_POWER_MAX_LIMIT: power_mw = gpu->max_limit_mw; break;
    case FIELD_POWER_DEFAULT_LIMIT: power_mw = gpu->default_limit_mw; break;
    case FIELD_POWER_CURRENT_LIMIT: power_mw = gpu->limit_mw; break;
    default: break;
    }
    if (power_mw == UNREPORTED)
        field->result = NOT_SUPPORTED;
    else
        field->value.ui = power_mw;
}

/* The call itself succeeds when single fields fail; each has its own result,
 * and a fault named "field83" is that of one field. */
API nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, Field *fields) {
    ENTER_GPU(device);
    for (int i = 0; i < count; i++) {
        Field *field = &fields[i];
        char name[32];
        snprintf(name, sizeof name, "field%u", field->id);
        field->timestamp_us = (int64_t)(seconds_of(CLOCK_REALTIME) * 1e6);
        field->latency_us = 1;
        field->type = VALUE_UNSIGNED_INT;
        field->value.ull = 0;
        field->result = fault_of(at.gpu_id, name);
        if (field->result == SUCCESS) answer_field(at.gpu, field);
    }
    return leave(SUCCESS);
}
#endif
