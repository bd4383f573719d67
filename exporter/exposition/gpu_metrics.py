"""Metrics of GPUs, beside their power and energy, which are those of devices."""

from exporter.exposition.metric import Metric, gauge, info

GPU_INFO = info(
    "jouled_gpu_info",
    ("device", "index", "model", "driver", "pci"),
    "What a GPU is; its value is always 1.",
)
GPU_DIVISION = info(
    "jouled_gpu_division_info",
    ("device", "method"),
    "By what the dynamic energy of a GPU is divided that several jobs share (activity: "
    "what each did on it; share: what each holds of it); its value is always 1.",
)
GPU_UTILIZATION = gauge(
    "jouled_gpu_utilization_ratio",
    ("device",),
    "Part of the time a kernel ran on the GPU, as its driver tells.",
)
GPU_MEMORY_USED = gauge(
    "jouled_gpu_memory_used_bytes", ("device",), "GPU memory in use."
)
GPU_MEMORY_TOTAL = gauge(
    "jouled_gpu_memory_total_bytes", ("device",), "GPU memory installed."
)
GPU_TEMPERATURE = gauge(
    "jouled_gpu_temperature_celsius", ("device",), "Temperature of the GPU."
)
GPU_POWER_LIMIT = gauge(
    "jouled_gpu_power_limit_watts",
    ("device",),
    "Power limit the driver enforces on the GPU.",
)

# In the order of a scrape.
GPU_METRICS: tuple[Metric, ...] = (
    GPU_INFO,
    GPU_DIVISION,
    GPU_UTILIZATION,
    GPU_MEMORY_USED,
    GPU_MEMORY_TOTAL,
    GPU_TEMPERATURE,
    GPU_POWER_LIMIT,
)
