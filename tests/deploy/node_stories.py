"""Stories about single nodes."""

from tests.deploy.stories import (
    CLUSTER,
    NODE,
    Calm,
    Story,
    ramps,
    selector,
    steps,
    unix_clock,
)
from tests.fakes.promtool import Told

_UP = selector("up")
_TIME = selector("jouled_sample_timestamp_seconds")
_MISSED = selector("jouled_samples_missed_total")
_DURATION = selector("jouled_sample_duration_seconds")
_RAPL_UP = selector("jouled_source_up", source="rapl")
_RAPL_DENIED = selector("jouled_source_errors_total", source="rapl", reason="denied")
_MISSING = selector("jouled_devices_missing", component="gpu")
_UNMEASURED = selector("jouled_unmeasured_seconds_total", component="gpu")
_ARCHIVE_UP = selector("jouled_source_up", source="archive")
_LOST = selector("jouled_source_errors_total", source="archive", reason="dropped")
_DROPPED = selector("jouled_jobs_dropped_total")
_PLACE = {**CLUSTER, "instance": "n1:9878"}

STORIES = (
    Story(
        alert="JouledNodeSilent",
        series={_UP: steps((1, 10), (0, 20), (1, 20))},
        silent=15,
        fires=25,
        told=[Told(NODE, "n1:9878 has told nothing for 10 minutes")],
        resolved=32,
    ),
    Story(
        # It is no target any more, and forgotten an hour later.
        alert="JouledNodeSilent",
        series={_UP: steps((1, 90), (None, 150))},
        silent=95,
        fires=120,
        told=[Told(NODE, "n1:9878 has told nothing for 10 minutes")],
        resolved=155,
    ),
    Story(
        alert="JouledNotSampling",
        series={_TIME: "0+60x10 600+0x20 1860+60x20"},
        silent=14,
        fires=25,
        told=[
            Told(NODE, "n1:9878 answers, but took its last sample 15m 0s ago"),
        ],
        resolved=35,
    ),
    Story(
        alert="JouledClockWrong",
        series={_TIME: "0+60x10 720+60x20 1860+60x20"},
        silent=10,
        fires=20,
        told=[Told(NODE, "The clock of n1:9878 is off by 1m 0s")],
        resolved=35,
    ),
    Story(
        alert="JouledSamplesMissed",
        series={_MISSED: ramps((0, 20), (20, 30), (0, 30))},
        silent=21,
        fires=45,
        told=[Told(NODE, "n1:9878 skipped 200 samples in 10 minutes")],
        resolved=65,
    ),
    Story(
        alert="JouledSamplingSlow",
        series={_DURATION: steps((0.004, 20), (0.75, 60), (0.004, 30))},
        silent=30,
        fires=60,
        told=[Told(NODE, "n1:9878 needs 750ms to read its sensors")],
        resolved=95,
    ),
    Story(
        alert="JouledSourceDown",
        series={
            _RAPL_UP: steps((1, 20), (0, 40), (1, 30)),
            _RAPL_DENIED: ramps((0, 20), (60, 40), (0, 30)),
        },
        silent=22,
        fires=45,
        told=[
            Told(
                {**_PLACE, "source": "rapl", "reason": "denied"},
                "rapl of n1:9878 cannot be read (denied): 600 times in 10 minutes",
            )
        ],
        resolved=62,
    ),
    Story(
        # NVML was let go of, and nobody took it up again.
        alert="JouledPowerIncomplete",
        series={_MISSING: steps((0, 20), (8, 100), (0, 30))},
        silent=75,
        fires=90,
        told=[
            Told(
                {**_PLACE, "component": "gpu"},
                "The power of n1:9878 has lacked 8 of its gpu devices for an hour",
            )
        ],
        resolved=125,
    ),
    Story(
        alert="JouledEnergyUnmeasured",
        series={_UNMEASURED: ramps((0, 60), (12, 60), (0, 80))},
        silent=62,
        fires=120,
        told=[
            Told(
                {**_PLACE, "component": "gpu"},
                "3m 0s of the last 15 minutes are missing in the gpu energy of n1:9878",
            )
        ],
        resolved=140,
    ),
    Story(
        alert="JouledStateNotWritten",
        series={_ARCHIVE_UP: steps((1, 10), (0, 20), (1, 10))},
        silent=12,
        fires=20,
        told=[Told({**NODE, "source": "archive"}, "n1:9878 cannot write its archive")],
        resolved=32,
    ),
    Story(
        # The series is not there before the first record is lost.
        alert="JouledJobRecordsLost",
        series={_UP: steps((1, 170)), _LOST: "_x70 7+0x90"},
        silent=65,
        fires=75,
        told=[
            Told(
                {**NODE, "source": "archive", "reason": "dropped"},
                "n1:9878 lost 7 records of jobs",
            )
        ],
        resolved=140,
    ),
    Story(
        alert="JouledJobsDropped",
        series={_DROPPED: ramps((0, 60), (1, 60), (0, 80))},
        silent=55,
        fires=120,
        told=[Told(NODE, "n1:9878 left out 15 jobs in 15 minutes")],
        resolved=140,
    ),
)

CALMS = (
    Calm(
        alert="JouledNodeSilent",
        because="a reboot takes less than ten minutes",
        series={_UP: steps((1, 20), (0, 8), (1, 30))},
        minutes=58,
    ),
    Calm(
        alert="JouledNotSampling",
        because="a daemon may sample once a minute",
        series={_TIME: unix_clock(-59, 60)},
        minutes=60,
    ),
    Calm(
        alert="JouledClockWrong",
        because="a sample is up to an interval old when it is scraped",
        series={
            _TIME: unix_clock(-65, 60),
            selector("jouled_sample_timestamp_seconds", instance="n2:9878"): unix_clock(
                2, 60
            ),
        },
        minutes=60,
    ),
    Calm(
        alert="JouledSamplesMissed",
        because="a tick is late now and then on a busy node",
        series={_MISSED: ramps((3, 60))},
        minutes=60,
    ),
    Calm(
        alert="JouledSamplingSlow",
        because="a management controller may stall for some minutes",
        series={_DURATION: steps((0.004, 30), (2, 5), (0.004, 30))},
        minutes=65,
    ),
    Calm(
        alert="JouledSourceDown",
        because="what a machine does not have is absent and counts no errors",
        series={
            selector("jouled_source_up", source="nvml"): steps((0, 60)),
            _RAPL_UP: steps((1, 60)),
            # It can be read and tells of something it doubts.
            _RAPL_DENIED: ramps((1, 60)),
        },
        minutes=60,
    ),
    Calm(
        alert="JouledPowerIncomplete",
        because="NVML is let go of for some minutes, to switch MIG",
        series={_MISSING: steps((0, 20), (8, 40), (0, 40))},
        minutes=100,
    ),
    Calm(
        alert="JouledEnergyUnmeasured",
        because="a restart leaves a few seconds out",
        series={_UNMEASURED: steps((0, 30), (12, 60))},
        minutes=90,
    ),
    Calm(
        alert="JouledStateNotWritten",
        because="a disk may be slow for a minute",
        series={_ARCHIVE_UP: steps((1, 10), (0, 3), (1, 30))},
        minutes=43,
    ),
    Calm(
        alert="JouledJobRecordsLost",
        because="what was lost before Prometheus knew the node is no news",
        series={_UP: steps((1, 180)), _LOST: steps((7, 180))},
        minutes=180,
    ),
    Calm(
        alert="JouledJobsDropped",
        because="a counter that starts anew after a reboot has dropped nothing",
        series={_DROPPED: steps((500, 60), (0, 60))},
        minutes=120,
    ),
)
