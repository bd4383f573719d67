/* The state file: one directive a line, its parts separated by tabs.
 *
 *   driver  VERSION              version string of the driver
 *   init    CODE                 what nvmlInit* returns
 *   load    NUMBER               how often the driver was loaded
 *   gpu     I  key=value ...     one GPU
 *   mig     I  J  key=value ...  MIG device J of GPU I
 *   process I  key=value ...     one compute process on GPU I
 *   fault   I  call=code ...     I is a GPU or *, call a C symbol or "all"
 *   delay   I  call=microseconds ...
 *
 * The keys are those of the tables below. A line that is not understood ends
 * the program: a test with a typo in it must not pass.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state.h"

enum Kind { TEXT, UNSIGNED, UNSIGNED64, SIGNED, REAL };

struct Key {
    const char *name;
    enum Kind kind;
    size_t offset, size;
};

#define KEY(type, member, kind) \
    {#member, kind, offsetof(struct type, member), sizeof(((struct type *)0)->member)}

static const struct Key GPU_KEYS[] = {
    KEY(Gpu, uuid, TEXT),
    KEY(Gpu, name, TEXT),
    KEY(Gpu, bus, TEXT),
    KEY(Gpu, minor, UNSIGNED),
    KEY(Gpu, plugged, UNSIGNED),
    KEY(Gpu, power_mw, UNSIGNED),
    KEY(Gpu, gpu_scope_mw, UNSIGNED),
    KEY(Gpu, module_scope_mw, UNSIGNED),
    KEY(Gpu, memory_scope_mw, UNSIGNED),
    KEY(Gpu, rate_mw, UNSIGNED),
    KEY(Gpu, rate_before_mw, UNSIGNED),
    KEY(Gpu, energy_mj, REAL),
    KEY(Gpu, energy_t0, REAL),
    KEY(Gpu, limit_mw, UNSIGNED),
    KEY(Gpu, default_limit_mw, UNSIGNED),
    KEY(Gpu, min_limit_mw, UNSIGNED),
    KEY(Gpu, max_limit_mw, UNSIGNED),
    KEY(Gpu, utilization, UNSIGNED),
    KEY(Gpu, memory_utilization, UNSIGNED),
    KEY(Gpu, temperature, SIGNED),
    KEY(Gpu, memory_total, UNSIGNED64),
    KEY(Gpu, memory_used, UNSIGNED64),
    KEY(Gpu, mig_mode, UNSIGNED),
    KEY(Gpu, mig_pending, UNSIGNED),
    KEY(Gpu, mig_capable, UNSIGNED),
    KEY(Gpu, gpm_capable, UNSIGNED),
    KEY(Gpu, sample_time_us, UNSIGNED64),
};

static const struct Key MIG_KEYS[] = {
    KEY(Mig, uuid, TEXT),
    KEY(Mig, gpu_instance, UNSIGNED),
    KEY(Mig, compute_instance, UNSIGNED),
    KEY(Mig, gpu_slices, UNSIGNED),
    KEY(Mig, compute_slices, UNSIGNED),
    KEY(Mig, multiprocessors, UNSIGNED),
    KEY(Mig, sm_util, UNSIGNED),
    KEY(Mig, memory_mb, UNSIGNED64),
};

static const struct Key PROCESS_KEYS[] = {
    KEY(Process, pid, UNSIGNED),
    KEY(Process, gpu_instance, UNSIGNED),
    KEY(Process, compute_instance, UNSIGNED),
    KEY(Process, sm, UNSIGNED),
    KEY(Process, memory_util, UNSIGNED),
    KEY(Process, memory, UNSIGNED64),
    KEY(Process, begun_us, UNSIGNED64),
    KEY(Process, ended_us, UNSIGNED64),
};

static void complain(const char *about) {
    fprintf(stderr, "fake NVML: cannot understand '%s' in the state file\n", about);
    abort();
}

static const char *next_part(char **rest) {
    const char *part = strsep(rest, "\t");
    if (!part) complain("a line that ends early");
    return part;
}

static int number_below(int limit, char **rest) {
    const char *part = next_part(rest);
    int number = atoi(part);
    if (number < 0 || number >= limit) complain(part);
    return number;
}

/* Split "key=value" in place and return the value. */
static char *split_pair(char *pair) {
    char *equals = strchr(pair, '=');
    if (!equals) complain(pair);
    *equals = '\0';
    return equals + 1;
}

static void set_key(void *object, const struct Key *key, const char *value) {
    void *target = (char *)object + key->offset;
    switch (key->kind) {
    case TEXT: snprintf(target, key->size, "%s", value); break;
    case UNSIGNED: *(unsigned *)target = strtoul(value, NULL, 0); break;
    case UNSIGNED64: *(uint64_t *)target = strtoull(value, NULL, 0); break;
    case SIGNED: *(int *)target = strtol(value, NULL, 0); break;
    case REAL: *(double *)target = strtod(value, NULL); break;
    }
}

static void set_keys(void *object, const struct Key *keys, size_t count, char *rest) {
    for (char *pair; (pair = strsep(&rest, "\t"));) {
        char *value = split_pair(pair);
        size_t i = 0;
        while (i < count && strcmp(keys[i].name, pair) != 0) i++;
        if (i == count) complain(pair);
        set_key(object, &keys[i], value);
    }
}

static void add_rules(struct Rules *rules, char *rest) {
    const char *gpu = next_part(&rest);
    for (char *pair; (pair = strsep(&rest, "\t"));) {
        if (rules->count == MAX_RULES) complain("too many rules");
        struct Rule *rule = &rules->rule[rules->count++];
        rule->value = strtol(split_pair(pair), NULL, 0);
        rule->gpu = strcmp(gpu, "*") == 0 ? -1 : atoi(gpu);
        snprintf(rule->call, sizeof rule->call, "%s", pair);
    }
}

static void add_process(struct Gpu *gpu, char *rest) {
    if (gpu->process_count == MAX_PROCESSES) complain("too many processes");
    struct Process *process = &gpu->processes[gpu->process_count++];
    process->gpu_instance = process->compute_instance = NO_INSTANCE;
    set_keys(process, PROCESS_KEYS, COUNT_OF(PROCESS_KEYS), rest);
}

static void add_gpu(struct Gpu *gpu, char *rest) {
    gpu->exists = 1;
    gpu->gpu_scope_mw = gpu->module_scope_mw = gpu->memory_scope_mw = UNREPORTED;
    set_keys(gpu, GPU_KEYS, COUNT_OF(GPU_KEYS), rest);
}

static void parse_line(struct State *into, char *line) {
    char *rest = line;
    const char *directive = next_part(&rest);
    if (strcmp(directive, "driver") == 0) {
        snprintf(into->driver, sizeof into->driver, "%s", next_part(&rest));
    } else if (strcmp(directive, "init") == 0) {
        into->init_code = atoi(next_part(&rest));
    } else if (strcmp(directive, "load") == 0) {
        into->load = atoi(next_part(&rest));
    } else if (strcmp(directive, "fault") == 0) {
        add_rules(&into->faults, rest);
    } else if (strcmp(directive, "delay") == 0) {
        add_rules(&into->delays, rest);
    } else if (strcmp(directive, "gpu") == 0) {
        int gpu = number_below(MAX_GPUS, &rest);
        add_gpu(&into->gpus[gpu], rest);
    } else if (strcmp(directive, "process") == 0) {
        int gpu = number_below(MAX_GPUS, &rest);
        add_process(&into->gpus[gpu], rest);
    } else if (strcmp(directive, "mig") == 0) {
        int gpu = number_below(MAX_GPUS, &rest);
        struct Mig *mig = &into->gpus[gpu].migs[number_below(MAX_MIGS, &rest)];
        mig->exists = 1;
        set_keys(mig, MIG_KEYS, COUNT_OF(MIG_KEYS), rest);
    } else {
        complain(directive);
    }
}

int parse_state(struct State *into, const char *path) {
    FILE *file = fopen(path, "re");
    if (!file) return 0;
    memset(into, 0, sizeof *into);
    char line[2048];
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0]) parse_line(into, line);
    }
    fclose(file);
    return 1;
}
