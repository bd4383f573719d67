/* The part of NVML's binary interface that is stood in for.
 *
 * Layouts follow the ctypes declarations of the nvidia-ml-py package. A test
 * compares them with that package; the asserts below fix them for the compiler.
 */
#ifndef NVML_TYPES_H
#define NVML_TYPES_H

#include <stdint.h>

typedef int nvmlReturn_t;
typedef void *nvmlDevice_t;

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    GPU_IS_LOST = 15,
    VERSION_MISMATCH = 25,
};

enum { VALUE_UNSIGNED_INT = 1, VALUE_UNSIGNED_LONG_LONG = 3 };
enum { SCOPE_GPU = 0, SCOPE_MODULE = 1, SCOPE_MEMORY = 2 };

enum {
    FIELD_TOTAL_ENERGY = 83,
    FIELD_POWER_AVERAGE = 185,
    FIELD_POWER_INSTANT = 186,
    FIELD_POWER_MIN_LIMIT = 187,
    FIELD_POWER_MAX_LIMIT = 188,
    FIELD_POWER_DEFAULT_LIMIT = 189,
    FIELD_POWER_CURRENT_LIMIT = 190,
};

/* Off MIG, a process carries this as both of its instance ids. */
#define NO_INSTANCE 0xFFFFFFFFu

enum { GPM_METRIC_SM_UTIL = 2, GPM_METRICS = 477 };

#define MEMORY_V2 0x02000028u
#define TEMPERATURE_V1 0x0100000Cu

typedef struct {
    char bus_id_legacy[16];
    unsigned domain, bus, device, pci_device_id, pci_subsystem_id;
    char bus_id[32];
} PciInfo;

typedef struct {
    unsigned gpu, memory;
} Utilization;

typedef struct {
    uint64_t total, free, used;
} Memory;

typedef struct {
    unsigned version;
    uint64_t total, reserved, free, used;
} MemoryV2;

typedef struct {
    unsigned version, sensor;
    int celsius;
} Temperature;

typedef union {
    double real;
    unsigned ui;
    uint64_t ull;
} FieldUnion;

typedef struct {
    uint32_t id, scope;
    int64_t timestamp_us, latency_us;
    unsigned type;
    nvmlReturn_t result;
    FieldUnion value;
} Field;

typedef struct {
    unsigned multiprocessors, copy_engines, decoders, encoders, jpegs, ofas;
    unsigned gpu_slices, compute_slices;
    uint64_t memory_mb;
} Attributes;

typedef struct {
    unsigned pid;
    uint64_t memory;
    unsigned gpu_instance, compute_instance;
} ProcessInfo;

typedef struct {
    unsigned pid;
    uint64_t timestamp_us;
    unsigned sm, memory, encoder, decoder;
} ProcessSample;

typedef struct {
    unsigned version, is_supported;
} GpmSupport;

typedef struct {
    const char *short_name, *long_name, *unit;
} MetricInfo;

typedef struct {
    unsigned id;
    nvmlReturn_t result;
    double value;
    MetricInfo info;
} GpmMetric;

typedef struct {
    unsigned version, count;
    struct GpmSample *sample1, *sample2;
    GpmMetric metrics[GPM_METRICS];
} GpmMetrics;

_Static_assert(sizeof(PciInfo) == 68, "nvmlPciInfo_t");
_Static_assert(sizeof(Utilization) == 8, "nvmlUtilization_t");
_Static_assert(sizeof(Memory) == 24, "nvmlMemory_t");
_Static_assert(sizeof(MemoryV2) == 40, "nvmlMemory_v2_t");
_Static_assert(sizeof(Temperature) == 12, "nvmlTemperature_v1_t");
_Static_assert(sizeof(Field) == 40, "nvmlFieldValue_t");
_Static_assert(sizeof(Attributes) == 40, "nvmlDeviceAttributes_t");
_Static_assert(sizeof(ProcessInfo) == 24, "nvmlProcessInfo_v2_t");
_Static_assert(sizeof(ProcessSample) == 32, "nvmlProcessUtilizationSample_t");
_Static_assert(sizeof(GpmSupport) == 8, "nvmlGpmSupport_t");
_Static_assert(sizeof(MetricInfo) == 24, "metricInfo_t");
_Static_assert(sizeof(GpmMetric) == 40, "nvmlGpmMetric_t");
_Static_assert(sizeof(GpmMetrics) == 19104, "nvmlGpmMetricsGet_t");

#endif
