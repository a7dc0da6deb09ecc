"""Where each dataset is published, the layout of its archive, its events, and where published files disagree."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Source:
    """A published dataset: where to get it, and where its videos are in the unpacked archive."""

    name: str
    url: str
    layout: str  # files expected under root, for messages
    video_folders: tuple[str, ...]
    """Globs under root, several separated by ``|``. Only the first entry whose folders hold videos is used."""
    n_videos: int  # of the test set
    skip: tuple[str, ...] = ()  # names of folders that hold copies, or videos outside the test set


AVENUE = Source(
    name="avenue",
    url="http://www.cse.cuhk.edu.hk/leojia/projects/detectabnormal/dataset.html",
    layout="testing_videos/01.avi ... 21.avi (or folders of frames testing/frames/01 ...), and "
    "ground_truth_demo/testing_label_mask/1_label.mat ... 21_label.mat",
    video_folders=("testing_videos", "*/testing_videos", "testing/frames", "*/testing/frames", "testing/videos", "."),
    n_videos=21,
)

SHANGHAITECH = Source(
    name="shanghaitech",
    url="https://svip-lab.github.io/dataset/campus_dataset.html",
    layout="testing/frames/01_0014/000.jpg ..., and testing/test_frame_mask/01_0014.npy ...",
    video_folders=("testing/frames", "*/testing/frames", "testing/videos", "frames", "."),
    n_videos=107,
)

C_AVENUE = replace(AVENUE, name="c-avenue", layout=AVENUE.layout.partition(", and ")[0])
C_SHANGHAITECH = replace(SHANGHAITECH, name="c-shanghaitech", layout=SHANGHAITECH.layout.partition(", and ")[0])
"""The videos of C-VAD; its labels are published separately, at ``C_VAD_URL``."""

UBNORMAL = Source(
    name="ubnormal",
    url="https://github.com/lilygeorgescu/UBnormal",
    layout="Scene1/abnormal_scene_1_scenario_1.mp4, Scene1/abnormal_scene_1_scenario_1_annotations/"
    "abnormal_scene_1_scenario_1_tracks.txt ..., and abnormal_test_video_names.txt and normal_test_video_names.txt "
    "(in the folder scripts of its repository)",
    video_folders=("Scene*", "*/Scene*", "."),
    n_videos=211,
)

UCF_CRIME = Source(
    name="ucf-crime",
    url="https://www.crcv.ucf.edu/projects/real-world/",
    layout="Videos/Abuse/Abuse028_x264.mp4, Videos/Testing_Normal_Videos_Anomaly/Normal_Videos_003_x264.mp4 ..., and "
    "Temporal_Anomaly_Annotation_for_Testing_Videos.txt",
    video_folders=(
        "Videos/*",
        "*/Videos/*",
        "Anomaly-Videos-Part-*/*|Testing_Normal_Videos*|Testing_Normal_Videos*/*",
        "videos",
        "*",
        ".",
    ),
    n_videos=290,
    skip=("Normal_Videos_event", "Normal_Videos_for_Event_Recognition"),
)

XD_VIOLENCE = Source(
    name="xd-violence",
    url="https://roc-ng.github.io/XD-Violence/",
    layout="videos/NAME_label_B1-0-0.mp4 ... (the 800 test videos), and annotations.txt",
    video_folders=("videos", "test_videos", "xd_test_videos", "*/videos", "."),
    n_videos=800,
)

C_VAD_URL = "https://github.com/SkiddieAhn/Paper-AnyAnomaly"
"""Repository with the label folder of C-VAD."""

SAME_CLASS = {
    "throwing_too-close": ("throwing-too_close", ("throwing", "too_close")),
    "running-skateboarding": ("run-skateboarding", ("running", "skateboarding")),
}
"""Classes whose names differ between the published list (key) and the label files (first value); then their events."""

AVENUE_EVENTS = ("too close", "bicycle", "throwing", "running", "dancing")
SHANGHAITECH_EVENTS = (
    "car",
    "bicycle",
    "fighting",
    "throwing",
    "hand truck",
    "running",
    "skateboarding",
    "falling",
    "jumping",
    "loitering",
    "motorcycle",
)
UBNORMAL_EVENTS = (
    "running",
    "falling",
    "fighting",
    "sleeping",
    "crawling",
    "having a seizure",
    "laying down",
    "dancing",
    "stealing",
    "rotating 360 degrees",
    "shuffling",
    "walking injured",
    "walking drunk",
    "stumbling",
    "people and car accident",
    "car crash",
    "running injured",
    "fire",
    "smoke",
    "jaywalking",
    "driving outside the lane",
    "jumping",
)
UCF_CRIME_EVENTS = {
    "Abuse": "abuse",
    "Arrest": "arrest",
    "Arson": "arson",
    "Assault": "assault",
    "Burglary": "burglary",
    "Explosion": "explosion",
    "Fighting": "fighting",
    "RoadAccidents": "road accident",
    "Robbery": "robbery",
    "Shooting": "shooting",
    "Shoplifting": "shoplifting",
    "Stealing": "stealing",
    "Vandalism": "vandalism",
}
XD_VIOLENCE_EVENTS = {
    "B1": "fighting",
    "B2": "shooting",
    "B4": "riot",
    "B5": "abuse",
    "B6": "car accident",
    "G": "explosion",
}
"""Events by the codes in the names of the videos."""
