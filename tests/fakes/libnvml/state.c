/* Stand-in for libnvidia-ml.so.1, for tests only: state, handles, entry.
 *
 * The state is the text file named by FAKENVML_STATE (see parse.c). Writers
 * replace it with rename(2); it is read again whenever it is another file.
 * Without it there is no driver.
 * As with the real library, the list of GPUs is fixed at initialisation, and a
 * GPU that was taken out since answers GPU_IS_LOST until the next one.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "state.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct State current;
static struct stat current_file;

/* What is known since initialisation. */
static int references, generation, load_at_init;
static int order[MAX_GPUS];
static unsigned order_count, plugged_at_init[MAX_GPUS];

/* How often each call was begun, for tests that ask what a reader did. */
static struct { char call[64]; unsigned long count; } counters[64];

/* --- the state file ---------------------------------------------------- */

/* Looking for a change at each call costs more than the call. Whoever measures a
 * reader says that there will be none, and the file is read once. */
static void refresh(void) {
    const char *path = getenv("FAKENVML_STATE");
    if (current_file.st_ino && getenv("FAKENVML_CONSTANT")) return;
    struct stat file = {0};
    int there = path && stat(path, &file) == 0;
    if (there && file.st_ino == current_file.st_ino && file.st_dev == current_file.st_dev &&
        file.st_mtim.tv_sec == current_file.st_mtim.tv_sec &&
        file.st_mtim.tv_nsec == current_file.st_mtim.tv_nsec)
        return;
    if (!there || !parse_state(&current, path)) {
        memset(&current, 0, sizeof current);
        memset(&file, 0, sizeof file);
        current.init_code = DRIVER_NOT_LOADED;
    }
    current_file = file;
}

struct State *state(void) {
    return &current;
}

static long value_of(const struct Rules *rules, int gpu_id, const char *call) {
    for (int i = 0; i < rules->count; i++) {
        const struct Rule *rule = &rules->rule[i];
        int for_gpu = rule->gpu == -1 || rule->gpu == gpu_id;
        if (for_gpu && (!strcmp(rule->call, call) || !strcmp(rule->call, "all")))
            return rule->value;
    }
    return 0;
}

nvmlReturn_t fault_of(int gpu_id, const char *call) {
    return (nvmlReturn_t)value_of(&current.faults, gpu_id, call);
}

/* --- handles: numbers in a pointer, of one initialisation each --------- */

nvmlDevice_t handle_of(int gpu_id, int mig_id) {
    uintptr_t number = (uintptr_t)generation << 16 | (unsigned)gpu_id << 8 | (unsigned)(mig_id + 1);
    return (nvmlDevice_t)number;
}

static int resolve(nvmlDevice_t device, struct View *view, int *mig_id) {
    uintptr_t number = (uintptr_t)device;
    view->gpu_id = number >> 8 & 0xff;
    *mig_id = (int)(number & 0xff) - 1;
    if (number >> 16 != (uintptr_t)generation || view->gpu_id >= MAX_GPUS || *mig_id >= MAX_MIGS)
        return 0;
    view->gpu = &current.gpus[view->gpu_id];
    view->mig = *mig_id >= 0 ? &view->gpu->migs[*mig_id] : NULL;
    return 1;
}

unsigned gpu_count(void) {
    return order_count;
}

int gpu_at(unsigned index) {
    return order[index];
}

unsigned index_of(int gpu_id) {
    unsigned index = 0;
    while (order[index] != gpu_id) index++;
    return index;
}

/* --- how a call begins and ends ------------------------------------------ */

static void count_call(const char *call) {
    for (size_t i = 0; i < COUNT_OF(counters); i++) {
        if (!counters[i].call[0]) snprintf(counters[i].call, sizeof counters[i].call, "%s", call);
        if (!strcmp(counters[i].call, call)) {
            counters[i].count++;
            return;
        }
    }
}

API unsigned long fakenvml_calls(const char *call) {
    unsigned long count = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < COUNT_OF(counters); i++)
        if (!strcmp(counters[i].call, call)) count = counters[i].count;
    pthread_mutex_unlock(&lock);
    return count;
}

double seconds_of(int clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Sleeps without the lock, so that other calls go on, and in slices, so that a
 * "hung" call returns soon after its rule is taken out of the state. */
static void wait_out_delay(int gpu_id, const char *call) {
    double begun = seconds_of(CLOCK_MONOTONIC);
    for (;;) {
        double delay = (double)value_of(&current.delays, gpu_id, call) * 1e-6;
        double left = begun + delay - seconds_of(CLOCK_MONOTONIC);
        if (left <= 0) return;
        pthread_mutex_unlock(&lock);
        usleep(left < 0.002 ? (useconds_t)(left * 1e6) : 2000);
        pthread_mutex_lock(&lock);
        refresh();
    }
}

static void begin(int gpu_id, const char *call) {
    count_call(call);
    wait_out_delay(gpu_id, call);
}

static nvmlReturn_t initialised(void) {
    return references && current.load == load_at_init ? SUCCESS : UNINITIALIZED;
}

nvmlReturn_t enter_library(const char *call) {
    pthread_mutex_lock(&lock);
    refresh();
    begin(-1, call);
    nvmlReturn_t result = initialised();
    if (result == SUCCESS) result = fault_of(-1, call);
    return result == SUCCESS ? SUCCESS : leave(result);
}

static nvmlReturn_t presence(const struct View *view) {
    if (!view->gpu->exists || view->gpu->plugged != plugged_at_init[view->gpu_id])
        return GPU_IS_LOST;
    if (view->mig && !view->mig->exists) return INVALID_ARGUMENT;
    return SUCCESS;
}

nvmlReturn_t enter_device(nvmlDevice_t device, const char *call, struct View *view) {
    pthread_mutex_lock(&lock);
    refresh();
    int mig_id;
    int known = resolve(device, view, &mig_id);
    begin(known ? view->gpu_id : -1, call);
    nvmlReturn_t result = initialised();
    if (result == SUCCESS && !known) result = INVALID_ARGUMENT;
    if (result == SUCCESS) result = fault_of(view->gpu_id, call);
    if (result == SUCCESS) result = presence(view);
    return result == SUCCESS ? SUCCESS : leave(result);
}

nvmlReturn_t leave(nvmlReturn_t result) {
    pthread_mutex_unlock(&lock);
    return result;
}

nvmlReturn_t copy_text(char *target, unsigned size, const char *text) {
    if (strlen(text) + 1 > size) return INSUFFICIENT_SIZE;
    strcpy(target, text);
    return SUCCESS;
}

/* --- initialisation ------------------------------------------------------- */

static void note_what_is_there(void) {
    generation++;
    load_at_init = current.load;
    order_count = 0;
    for (int gpu_id = 0; gpu_id < MAX_GPUS; gpu_id++) {
        if (!current.gpus[gpu_id].exists) continue;
        plugged_at_init[gpu_id] = current.gpus[gpu_id].plugged;
        order[order_count++] = gpu_id;
    }
}

API nvmlReturn_t nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    pthread_mutex_lock(&lock);
    refresh();
    begin(-1, __func__);
    nvmlReturn_t result = current.init_code;
    if (result == SUCCESS && references++ == 0) note_what_is_there();
    return leave(result);
}

API nvmlReturn_t nvmlInit_v2(void) {
    return nvmlInitWithFlags(0);
}

API nvmlReturn_t nvmlShutdown(void) {
    pthread_mutex_lock(&lock);
    refresh();
    begin(-1, __func__);
    nvmlReturn_t result = initialised();
    if (references) references--;
    return leave(result);
}
