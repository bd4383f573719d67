/* What the stand-in driver pretends to see, and how a call gets at it. */
#ifndef STATE_H
#define STATE_H

#include "nvml_types.h"

#define API __attribute__((visibility("default")))
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

enum { MAX_GPUS = 32, MAX_MIGS = 7, MAX_PROCESSES = 64, MAX_RULES = 128 };

/* A wattage or limit that this GPU does not report. */
#define UNREPORTED 0xFFFFFFFFu

struct Mig {
    int exists;
    char uuid[96];
    unsigned gpu_instance, compute_instance;
    unsigned gpu_slices, compute_slices, multiprocessors, sm_util;
    uint64_t memory_mb;
};

/* A process that was active from begun_us to ended_us (0: it still is), on the
 * clock of the samples. */
struct Process {
    unsigned pid, gpu_instance, compute_instance, sm, memory_util;
    uint64_t memory, begun_us, ended_us;
};

/* The energy counter reads energy_mj + rate_mw * (now - energy_t0), and before
 * energy_t0 falls away from energy_mj by rate_before_mw: a writer who announces
 * a change of power a moment ahead of it keeps the counter continuous.
 * sample_time_us stops the clock of the samples there; 0: it is the wall clock.
 * `plugged` counts how often the GPU was put in; another number means another
 * GPU to a driver that was initialised before. */
struct Gpu {
    int exists;
    char uuid[96], name[96], bus[32];
    unsigned minor, plugged;
    unsigned power_mw, gpu_scope_mw, module_scope_mw, memory_scope_mw;
    unsigned rate_mw, rate_before_mw;
    double energy_mj, energy_t0;
    unsigned limit_mw, default_limit_mw, min_limit_mw, max_limit_mw;
    unsigned utilization, memory_utilization;
    int temperature;
    uint64_t memory_total, memory_used;
    uint64_t sample_time_us;
    unsigned mig_mode, mig_pending, mig_capable, gpm_capable;
    struct Mig migs[MAX_MIGS];
    struct Process processes[MAX_PROCESSES];
    int process_count;
};

/* A fault (value: the code to return) or a delay (value: microseconds) of one
 * call, named by its C symbol, or of "all"; gpu -1 stands for every GPU. */
struct Rule {
    int gpu;
    char call[64];
    long value;
};

struct Rules {
    struct Rule rule[MAX_RULES];
    int count;
};

struct State {
    char driver[80];
    int init_code;
    int load; /* counts driver loads: NVML of an earlier load is uninitialised */
    struct Gpu gpus[MAX_GPUS];
    struct Rules faults, delays;
};

/* What one call on a device works on; `mig` is NULL for a whole GPU. */
struct View {
    struct Gpu *gpu;
    struct Mig *mig;
    int gpu_id;
};

/* Begin a call on the library or on a device: count it, wait out its delay,
 * return its fault. On SUCCESS the state stays locked until leave(). */
nvmlReturn_t enter_library(const char *call);
nvmlReturn_t enter_device(nvmlDevice_t device, const char *call, struct View *view);
nvmlReturn_t leave(nvmlReturn_t result);

/* For calls that are inside: the state, the fault of one part of a call, the
 * handle of a device, and what is known since initialisation. */
struct State *state(void);
nvmlReturn_t fault_of(int gpu_id, const char *call);
nvmlDevice_t handle_of(int gpu_id, int mig_id);
unsigned gpu_count(void);
int gpu_at(unsigned index);
unsigned index_of(int gpu_id);

nvmlReturn_t copy_text(char *target, unsigned size, const char *text);
double seconds_of(int clock);

/* Parse the state file; 0 if it is gone. Aborts on a line it does not know. */
int parse_state(struct State *into, const char *path);

/* Open a call: returns from the caller unless it may go on, then `at` is set. */
#define ENTER(device)                                                   \
    struct View at;                                                     \
    do {                                                                \
        nvmlReturn_t refused = enter_device((device), __func__, &at);   \
        if (refused != SUCCESS) return refused;                         \
    } while (0)

#define ENTER_LIBRARY()                                                 \
    do {                                                                \
        nvmlReturn_t refused = enter_library(__func__);                 \
        if (refused != SUCCESS) return refused;                         \
    } while (0)

/* As ENTER, for what exists only on a whole GPU. */
#define ENTER_GPU(device)                                               \
    ENTER(device);                                                      \
    if (at.mig) return leave(NOT_SUPPORTED)

#endif
