"""Event texts as a user may write them: for each class, and for events that never happen in the scenes."""

from __future__ import annotations

WORDS: dict[str, tuple[str, ...]] = {
    "bicycle": (
        "bicycle",
        "a bicycle",
        "bike",
        "cyclist",
        "a person riding a bicycle",
        "somebody on a bike",
        "cycling",
    ),
    "car": ("car", "a car", "cars", "van", "vehicle", "a car drives by", "a vehicle", "a moving car"),
    "hand truck": (
        "hand truck",
        "a hand truck",
        "hand_truck",
        "handcart",
        "a person pushing a hand truck",
        "somebody with a hand truck",
        "a hand truck with boxes",
    ),
    "stroller": (
        "stroller",
        "a stroller",
        "pram",
        "baby carriage",
        "a person pushing a stroller",
        "somebody with a pram",
    ),
    "dog": ("dog", "a dog", "dogs", "a dog on a leash", "somebody walking a dog", "a dog runs", "an animal"),
    "umbrella": (
        "umbrella",
        "an umbrella",
        "a person with an umbrella",
        "somebody under an umbrella",
        "an open umbrella",
    ),
    "running": (
        "running",
        "a person running",
        "a person runs",
        "somebody runs",
        "runner",
        "someone is running",
        "person running",
    ),
    "falling": (
        "falling",
        "a person falls",
        "somebody falls",
        "a person falling",
        "a person falls down",
        "a fall",
        "someone falls over",
        "person falling",
    ),
    "jumping": (
        "jumping",
        "a person jumping",
        "a person jumps",
        "somebody jumps",
        "someone is jumping",
        "hopping",
        "person jumping",
    ),
    "loitering": (
        "loitering",
        "a person loitering",
        "a person loiters",
        "somebody hangs about",
        "someone is loitering",
        "person loitering",
        "somebody waits and paces",
    ),
    "throwing": (
        "throwing",
        "a person throwing",
        "a person throws something",
        "somebody throws a ball",
        "throwing something",
        "a ball is thrown",
        "person throwing",
    ),
    "fighting": (
        "fighting",
        "a fight",
        "people fighting",
        "two people fight",
        "a person hits somebody",
        "a brawl",
        "somebody attacks another",
        "persons fighting",
    ),
}
"""The event texts of each class; the first is the name of the class."""

CAPTIONS = (
    "a photo of a {}.", "a photo of the {}.", "a cropped photo of the {}.", "a close-up photo of a {}.",
    "a close-up photo of the {}.", "a bright photo of a {}.", "a dark photo of the {}.", "a blurry photo of a {}.",
    "a jpeg corrupted photo of the {}.", "a photo of a small {}.", "a photo of a large {}.",
    "a photo of the {} for anomaly detection.", "a photo of a {} for visual inspection.", "a {}", "the {}",
)  # fmt: skip

NO_EVENTS = (
    "fire", "smoke", "an elephant", "a horse", "a boat", "an aeroplane", "a train", "a cat", "a motorcycle", "a bus",
    "a skateboard", "a gun", "an explosion", "a flood", "a swimming person", "a robot", "a bird", "a tractor",
    "somebody dancing", "a person climbing", "a drone", "a wheelchair", "a truck on fire", "vandalism", "graffiti",
    "a broken window", "a kite", "a football match", "a parade", "somebody cooking",
)  # fmt: skip
"""Event texts that no scene shows."""

REASONS: dict[str, tuple[str, str]] = {
    "bicycle": ("The image shows a bicycle.", "The image shows no bicycle."),
    "car": ("The image shows a car.", "The image shows no car."),
    "hand truck": ("The image shows a hand truck.", "The image shows no hand truck."),
    "stroller": ("The image shows a stroller.", "The image shows no stroller."),
    "dog": ("The image shows a dog.", "The image shows no dog."),
    "umbrella": ("The image shows an umbrella.", "The image shows no umbrella."),
    "running": ("The image shows a person running.", "The image shows nobody running."),
    "falling": ("The image shows a person falling.", "The image shows nobody falling."),
    "jumping": ("The image shows a person jumping.", "The image shows nobody jumping."),
    "loitering": ("The image shows a person loitering.", "The image shows nobody loitering."),
    "throwing": ("The image shows a person throwing.", "The image shows nobody throwing."),
    "fighting": ("The image shows people fighting.", "The image shows nobody fighting."),
    "": ("The image shows it.", "The image shows nothing of the kind."),
}
"""The reason for a high score and for a low one, by class; the empty name stands for all other texts."""
