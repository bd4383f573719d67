/* Who is there: the driver, handles, names and addresses. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "state.h"

API const char *nvmlErrorString(nvmlReturn_t result) {
    return result == SUCCESS ? "Success" : "An error of the stand-in driver";
}

API nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned size) {
    ENTER_LIBRARY();
    return leave(copy_text(version, size, state()->driver));
}

API nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count) {
    ENTER_LIBRARY();
    *count = gpu_count();
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
    ENTER_LIBRARY();
    nvmlReturn_t result = INVALID_ARGUMENT;
    if (index < gpu_count()) {
        *device = handle_of(gpu_at(index), -1);
        result = fault_of(gpu_at(index), __func__);
    }
    return leave(result);
}

API nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
    ENTER_LIBRARY();
    for (unsigned i = 0; i < gpu_count(); i++) {
        const struct Gpu *gpu = &state()->gpus[gpu_at(i)];
        if (gpu->exists && !strcmp(gpu->uuid, uuid)) {
            *device = handle_of(gpu_at(i), -1);
            return leave(fault_of(gpu_at(i), __func__));
        }
        for (int j = 0; j < MAX_MIGS; j++) {
            if (gpu->migs[j].exists && !strcmp(gpu->migs[j].uuid, uuid)) {
                *device = handle_of(gpu_at(i), j);
                return leave(fault_of(gpu_at(i), __func__));
            }
        }
    }
    return leave(NOT_FOUND);
}

API nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus, nvmlDevice_t *device) {
    ENTER_LIBRARY();
    for (unsigned i = 0; i < gpu_count(); i++) {
        if (!strcasecmp(state()->gpus[gpu_at(i)].bus, bus)) {
            *device = handle_of(gpu_at(i), -1);
            return leave(fault_of(gpu_at(i), __func__));
        }
    }
    return leave(NOT_FOUND);
}

API nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned size) {
    ENTER(device);
    return leave(copy_text(uuid, size, at.mig ? at.mig->uuid : at.gpu->uuid));
}

API nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned size) {
    ENTER(device);
    return leave(copy_text(name, size, at.gpu->name));
}

API nvmlReturn_t nvmlDeviceGetIndex(nvmlDevice_t device, unsigned *index) {
    ENTER_GPU(device);
    *index = index_of(at.gpu_id);
    return leave(SUCCESS);
}

API nvmlReturn_t nvmlDeviceGetMinorNumber(nvmlDevice_t device, unsigned *minor) {
    ENTER_GPU(device);
    *minor = at.gpu->minor;
    return leave(SUCCESS);
}

#ifndef OLD_DRIVER
API nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, PciInfo *pci) {
    ENTER(device);
    memset(pci, 0, sizeof *pci);
    sscanf(at.gpu->bus, "%x:%x:%x", &pci->domain, &pci->bus, &pci->device);
    snprintf(pci->bus_id, sizeof pci->bus_id, "%s", at.gpu->bus);
    snprintf(pci->bus_id_legacy, sizeof pci->bus_id_legacy, "%04X:%02X:%02X.0",
             pci->domain & 0xffff, pci->bus & 0xff, pci->device & 0xff);
    return leave(SUCCESS);
}
#endif
