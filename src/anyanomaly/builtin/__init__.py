"""The built-in components, registered through the same hooks as those of plugins. Literals only."""

from __future__ import annotations

from anyanomaly.builtin.suffixes import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from anyanomaly.hookspecs import hookimpl
from anyanomaly.specs import BackendSpec, ContextSpec, GateSpec, ReaderSpec, SelectorSpec, SinkSpec

_HERE = "anyanomaly.builtin"


@hookimpl
def anyanomaly_register_readers() -> list[ReaderSpec]:
    """Return the specs of the readers for files and folders."""
    return [
        ReaderSpec(
            name="video",
            summary="Video files, through FFmpeg",
            target=f"{_HERE}.read_video:VideoReader",
            options=f"{_HERE}.reader_options:VideoReaderOptions",
            suffixes=VIDEO_SUFFIXES,
        ),
        ReaderSpec(
            name="images",
            summary="A folder or a glob of images in natural order, an animation, or one image",
            target=f"{_HERE}.read_images:ImageReader",
            options=f"{_HERE}.reader_options:ImageReaderOptions",
            suffixes=IMAGE_SUFFIXES,
        ),
    ]


@hookimpl
def anyanomaly_register_gates() -> list[GateSpec]:
    """Return the specs of the gates: two that need no language model, and a cascade."""
    return [
        GateSpec(
            name="motion",
            summary="How large the largest thing is that differs from the background; 0 for a still scene",
            target=f"{_HERE}.gate_motion:MotionGate",
            options=f"{_HERE}.gate_options:MotionOptions",
        ),
        GateSpec(
            name="similarity",
            summary="How similar to the text a segment is, relative to what the camera usually sees",
            target=f"{_HERE}.gate_similarity:SimilarityGate",
            options=f"{_HERE}.gate_options:SimilarityGateOptions",
            needs_encoder=True,
        ),
        GateSpec(
            name="backend",
            summary="The score of a small, fast model that is asked first: a cascade",
            target=f"{_HERE}.gate_backend:BackendGate",
            options=f"{_HERE}.gate_options:BackendGateOptions",
            needs_backend=True,
        ),
    ]


@hookimpl
def anyanomaly_register_selectors() -> list[SelectorSpec]:
    """Return the specs of the published key-frame selectors, and of two that need no encoder."""
    selectors = [
        ("random", "RandomSelector", "RandomSelectorOptions", "Four random frames, with a seed"),
        ("top", "TopSelector", "NearestOptions", "The four frames nearest the text"),
        (
            "group-then-top",
            "GroupThenTopSelector",
            "NearestOptions",
            "The frame nearest the text in each of four groups",
        ),
        (
            "top-then-group",
            "TopThenGroupSelector",
            "NearestOptions",
            "The frame nearest the text, and its position in each of four groups",
        ),
        ("uniform", "UniformSelector", "SelectorOptions", "Four evenly spaced frames"),
        ("middle", "MiddleSelector", "SelectorOptions", "The middle frame only"),
    ]
    return [
        SelectorSpec(
            name=name,
            summary=summary,
            target=f"{_HERE}.selectors:{target}",
            options=f"{_HERE}.options:{options}",
            needs_encoder=options == "NearestOptions",
        )
        for name, target, options, summary in selectors
    ]


@hookimpl
def anyanomaly_register_contexts() -> list[ContextSpec]:
    """Return the specs of the three contexts of the paper, and of one for models that read videos."""
    return [
        ContextSpec(
            name="key",
            summary="The key frame as it is",
            target=f"{_HERE}.contexts:KeyContext",
            options=f"{_HERE}.options:KeyOptions",
        ),
        ContextSpec(
            name="position",
            summary="The key frame, weighted by the similarity of its windows to the text (WA)",
            target=f"{_HERE}.contexts:PositionContext",
            options=f"{_HERE}.options:PositionOptions",
            needs_encoder=True,
        ),
        ContextSpec(
            name="temporal",
            summary="The window most similar to the text in four key frames, as a 2x2 grid (GIG)",
            target=f"{_HERE}.contexts:TemporalContext",
            options=f"{_HERE}.options:TemporalOptions",
            needs_encoder=True,
        ),
        ContextSpec(
            name="frames",
            summary="Frames of the segment in order, for a model that reads a video",
            target=f"{_HERE}.contexts:FramesContext",
            options=f"{_HERE}.options:FramesOptions",
            images=100,
        ),
    ]


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the specs of the backends without a language model."""
    return [
        BackendSpec(
            name="similarity",
            summary="The encoder alone: the zero-shot CLIP baseline",
            target=f"{_HERE}.backends:SimilarityBackend",
            options=f"{_HERE}.backend_options:SimilarityOptions",
            words=False,
            needs_encoder=True,
            cacheable=False,
            devices=frozenset({"cpu", "cuda", "mps"}),
        ),
        BackendSpec(
            name="replay",
            summary="Answers recorded by an earlier run",
            target=f"{_HERE}.backends:ReplayBackend",
            options=f"{_HERE}.backend_options:ReplayOptions",
            max_images=None,
            logprobs=True,
            cacheable=False,
        ),
    ]


@hookimpl
def anyanomaly_register_sinks() -> list[SinkSpec]:
    """Return the specs of the sinks that write result files."""
    return [
        SinkSpec(
            name="jsonl",
            summary="Segments, answers and events as JSON lines",
            target=f"{_HERE}.json_lines:JsonLinesSink",
            options=f"{_HERE}.sink_options:JsonLinesOptions",
            suffixes=frozenset({".jsonl", ".jsonl.gz"}),
            streams=True,
        ),
        SinkSpec(
            name="parquet",
            summary="A table with a row per segment and text",
            target=f"{_HERE}.json_lines:ParquetSink",
            options="anyanomaly.api.sink:SinkOptions",
            suffixes=frozenset({".parquet"}),
            requires=("pyarrow>=18",),
            install="anyanomaly[parquet]",
        ),
        SinkSpec(
            name="csv",
            summary="One row per frame and text",
            target=f"{_HERE}.sinks:CsvSink",
            options="anyanomaly.api.sink:SinkOptions",
            suffixes=frozenset({".csv"}),
            streams=True,
        ),
        SinkSpec(
            name="events",
            summary="The events as one JSON document",
            target=f"{_HERE}.sinks:EventsSink",
            options="anyanomaly.api.sink:SinkOptions",
            suffixes=frozenset({".json"}),
        ),
        SinkSpec(
            name="annotated",
            summary="The video with scores, events and reasons below the picture",
            target="anyanomaly.media.annotated:AnnotatedSink",
            options="anyanomaly.media.annotated:AnnotatedOptions",
            suffixes=frozenset({".mp4", ".mkv"}),
        ),
        SinkSpec(
            name="clips",
            summary="A folder with a video clip per event",
            target="anyanomaly.media.clips:ClipsSink",
            options="anyanomaly.media.clip_options:ClipsOptions",
        ),
        SinkSpec(
            name="plot",
            summary="The scores over time as an image",
            target="anyanomaly.plots.plot_sink:PlotSink",
            options="anyanomaly.plots.plot_options:PlotOptions",
            suffixes=frozenset({".png", ".svg", ".pdf"}),
            requires=("matplotlib>=3.8",),
            install="anyanomaly[report]",
        ),
        SinkSpec(
            name="html",
            summary="A report to look at: timelines, events with pictures and answers, and a player, in one file",
            target="anyanomaly.report.sink:HtmlReportSink",
            options="anyanomaly.report.sink:HtmlReportOptions",
            suffixes=frozenset({".html", ".htm"}),
            requires=("bokeh>=3.6",),
            install="anyanomaly[report]",
        ),
    ]
