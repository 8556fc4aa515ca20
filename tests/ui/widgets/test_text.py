"""Wrapped text: settings break between two of them, and text that does not fit ends with an ellipsis."""

from comfytui.ui.widgets.text import SettingsLine, cut_middle, pack_lines, truncate_lines


def test_settings_break_between_two_of_them_and_no_line_begins_with_a_separator() -> None:
    parts = ["seed 88213", "1024x1024", "20 steps", "euler/normal", "cfg 7", "a model with a long name"]
    assert pack_lines(parts, 24) == [
        "seed 88213 · 1024x1024",
        "20 steps · euler/normal",
        "cfg 7",
        "a model with a long name",
    ]
    assert SettingsLine(" · ".join(parts)).wrap(200) == [" · ".join(parts)]
    assert SettingsLine().wrap(24) == []


def test_lines_beyond_the_last_that_fits_show_as_an_ellipsis() -> None:
    assert truncate_lines(["one", "two"], 5, 2) == ["one", "two"]
    assert truncate_lines(["one", "two", "three"], 5, 2) == ["one", "two…"]
    assert truncate_lines(["one two", "three"], 7, 1) == ["one tw…"]
    assert truncate_lines(["狐狐", "狐"], 4, 1) == ["狐…"]
    assert truncate_lines(["one"], 5, 0) == []


def test_names_that_are_too_long_keep_their_ends() -> None:
    assert cut_middle("#10 KSampler", 12) == "#10 KSampler"
    assert cut_middle("#10 KSampler (Advanced) - BASE", 25) == "#10 KSampler…nced) - BASE"
    assert cut_middle("#11 KSampler (Advanced) - REFINER", 13) == "#11 KS…EFINER"
    assert cut_middle("狐狐狐狐狐", 7) == "狐狐…狐"
    assert cut_middle("name", 0) == ""
