"""Folders and files of images: to which numbers they are read, and what is said of bad ones."""

from __future__ import annotations

import io
import os
import struct
import sys
import zlib
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tftrain.data import images
from tftrain.data.images import Form, decoding
from tftrain.data.images.resizing import resize
from tftrain.errors import DataError

RANDOM = np.random.default_rng(0)
GREY = RANDOM.integers(0, 256, (5, 4), np.uint8)
COLOUR = RANDOM.integers(0, 256, (5, 4, 3), np.uint8)
LOSSLESS = ("png", "bmp", "gif", "tiff")


def encoded(pixels, kind="PNG", mode=None, **options):
    """An image's bytes."""
    buffer = io.BytesIO()
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def put(tmp_path):
    """Writes files, each an array, an image or bytes; returns their paths."""

    def written(**contents):
        paths = []
        for name, content in contents.items():
            path = tmp_path / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else encoded(content))
            paths.append(str(path))
        return paths

    return written


def read(file, channels, size=(5, 4)):
    """One image's pixels; grey ones without an axis for their channel."""
    decoded = images.decode([file], Form(size, channels))
    assert (decoded.problems, decoded.rows.tolist()) == ([], [0])
    return decoded.images[0, ..., 0] if channels == 1 else decoded.images[0]


def said(tmp_path, function, *arguments, **options):
    """What a DataError says, its paths as they are below the test's folder."""
    with pytest.raises(DataError) as raised:
        function(*arguments, **options)
    return str(raised.value).replace(f"{tmp_path}{os.sep}", "").replace(os.sep, "/").split("\n")


def faults(function, *arguments):
    """How many faults it tells; any other exception comes through."""
    try:
        function(*arguments)
    except DataError as error:
        return len(error.problems)
    return 0


def test_a_folder_for_each_class_numbers_in_their_order(put, tmp_path):
    put(a10__x_png=GREY, a2__img10_PNG=GREY, a2__img9_jpeg=GREY, a2__deep__er__y_bmp=GREY)
    put(a2__Thumbs_db=b"no", a2__notes_txt=b"no", README_md=b"no", __hidden__x_png=b"no")
    put(__DS=b"", a10____x_png=b"no")
    (tmp_path / "__MACOSX" / "deep").mkdir(parents=True)
    found = images.folder(str(tmp_path))
    names = [os.path.relpath(file, tmp_path).replace(os.sep, "/") for file in found.files]
    assert names == ["a2/img9.jpeg", "a2/img10.PNG", "a2/deep/er/y.bmp", "a10/x.png"]
    assert found.names == ("a2", "a10")
    assert found.labels is not None
    assert found.labels.dtype == np.int64
    assert found.labels.tolist() == [0, 0, 0, 1]


def test_without_labels_every_image_below_counts(put, tmp_path):
    paths = put(x_png=GREY, b__c__x_png=GREY, b__y_gif=GREY)
    found = images.folder(str(tmp_path), labelled=False)
    assert sorted(found.files) == sorted(paths)
    assert (found.labels, found.names) == (None, None)


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (("train", "test"), {"train": "train", "test": "test"}),
        (("test", "Train", "val"), {"train": "Train", "validation": "val", "test": "test"}),
        (("valid", "train", "notes"), {"train": "train", "validation": "valid"}),
        (("training", "validation"), {"train": "training", "validation": "validation"}),
        (("train", "plane"), {}),
        (("val", "test"), {}),
        ((), {}),
    ],
)
def test_parts_above_the_classes(folders, expected, tmp_path):
    for name in folders:
        (tmp_path / name).mkdir()
    found = images.parts(str(tmp_path))
    assert found == {part: str(tmp_path / name) for part, name in expected.items()}
    assert list(found) == list(expected)


def test_two_folders_for_one_part(tmp_path):
    for name in ("train", "val", "valid"):
        (tmp_path / name).mkdir()
    (line,) = said(tmp_path, images.parts, str(tmp_path))
    assert line.endswith("error[D004]: both `val` and `valid` are there for the validation split")


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        ({}, ["s: error[D007]: expected a sub-folder of images for each class; it is empty"]),
        (
            {"s__x_png": GREY, "s__y_png": GREY},
            ["s: error[D003]: expected a sub-folder of images for each class; it holds 2 images"],
        ),
        (
            {"s__a__x_png": GREY, "s__b__x_txt": b"", "s__b__c__y_csv": b"", "s__d__z_heic": b""},
            [
                "s/b: error[D007]: no images; it holds c/, x.txt",
                "s/d: error[D007]: no images; it holds z.heic",
            ],
        ),
        (
            {"s__a__x_png": GREY, "s__y_png": GREY, "s__z_txt": b""},
            ["s: error[D003]: images without a class beside the sub-folders: y.png"],
        ),
        (
            {"s__a\nb__x_png": GREY},
            [r"s/a\nb: error[D004]: no name for a class: it isn't plain text"],
        ),
    ],
)
def test_folders_that_hold_no_classes(contents, expected, put, tmp_path):
    (tmp_path / "s").mkdir()
    put(**contents)
    assert said(tmp_path, images.folder, str(tmp_path / "s")) == expected


def test_folders_that_are_none(put, tmp_path):
    (file,) = put(x_png=GREY)
    for labelled in (True, False):
        (line,) = said(tmp_path, images.folder, str(tmp_path / "s"), labelled=labelled)
        assert line == "s: error[D001]: no such file or folder"
    for function in (images.folder, images.parts):
        (line,) = said(tmp_path, function, file)
        assert line.startswith("x.png: error[D002]: can't be read: ")
    (tmp_path / "e").mkdir()
    (line,) = said(tmp_path, images.folder, str(tmp_path / "e"), labelled=False)
    assert line == "e: error[D007]: no images; it is empty"


@pytest.mark.skipif(os.name == "nt", reason="links need a right of their own")
def test_links_in_a_circle_and_to_nowhere(put, tmp_path):
    put(s__a__x_png=GREY)
    (tmp_path / "s" / "a" / "up").symlink_to(tmp_path / "s")
    again = "s/a/up: error[D002]: can't be read: a link to a folder that is read already"
    assert said(tmp_path, images.folder, str(tmp_path / "s")) == [again]
    assert said(tmp_path, images.folder, str(tmp_path / "s"), labelled=False) == [again]
    (tmp_path / "s" / "a" / "up").unlink()
    (tmp_path / "s" / "a" / "y.png").symlink_to("y.png")
    (tmp_path / "s" / "a" / "z.png").symlink_to("nowhere.png")
    found = images.folder(str(tmp_path / "s"))
    circle, nowhere = said(tmp_path, images.decode, found.files, Form((5, 4), 1))
    assert circle.startswith("s/a/y.png: error[D002]: can't be read: ")
    assert nowhere == "s/a/z.png: error[D001]: no such file or folder"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read(put, tmp_path):
    (file,) = put(s__a__x_png=GREY)
    os.chmod(file, 0)  # noqa: PTH101 - as the others
    (line,) = said(tmp_path, images.decode, [file], Form((5, 4), 1))
    assert line == "s/a/x.png: error[D002]: can't be read: Permission denied"
    (tmp_path / "s" / "a").chmod(0)
    (line,) = said(tmp_path, images.folder, str(tmp_path / "s"))
    (tmp_path / "s" / "a").chmod(0o700)
    assert line == "s/a: error[D002]: can't be read: Permission denied"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_no_text(tmp_path):
    name = os.fsdecode(b"\xff\n.png")
    (tmp_path / name).write_bytes(b"")
    files = images.folder(str(tmp_path), labelled=False).files
    (line,) = said(tmp_path, images.decode, files, Form((5, 4), 1))
    assert line == r"\udcff\n.png: error[D002]: can't be read: it is empty"
    (tmp_path / name).write_bytes(encoded(GREY))
    np.testing.assert_array_equal(read(files[0], 1), GREY)


def test_every_kind_of_file(put):
    for kind in LOSSLESS:
        (grey, colour) = put(**{f"g_{kind}": encoded(GREY, kind), f"c_{kind}": b""})
        np.testing.assert_array_equal(read(grey, 1), GREY)
        np.testing.assert_array_equal(read(grey, 3), np.repeat(GREY[..., None], 3, 2))
        put(**{f"c_{kind}": encoded(COLOUR, kind)})
        np.testing.assert_array_equal(read(colour, 3), COLOUR)
    flat = np.full((5, 4, 3), (200, 100, 50), np.uint8)
    lossless = encoded(COLOUR, "WEBP", lossless=True)
    jpeg, cmyk, webp = put(
        f_jpg=encoded(flat, "JPEG"), k_jpg=encoded(flat, "JPEG", "CMYK"), w_webp=lossless
    )
    np.testing.assert_allclose(read(jpeg, 3), flat, atol=2)
    np.testing.assert_allclose(read(cmyk, 3), flat, atol=2)
    np.testing.assert_array_equal(read(webp, 3), COLOUR)


def test_an_animation_is_its_first_image(put):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    (file,) = put(x_gif=encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    np.testing.assert_array_equal(read(file, 1), GREY)


def test_colours_become_grey_by_their_luminance(put):
    (file,) = put(x_png=COLOUR)
    luminance = COLOUR @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(read(file, 1), luminance, atol=0.51)


def test_bits_and_palettes(put):
    bits, palette = Image.fromarray(GREY > 99), Image.fromarray(COLOUR).quantize(20)
    one, several = put(b_png=encoded(bits), p_png=encoded(palette))
    np.testing.assert_array_equal(read(one, 1), np.where(GREY > 99, 255, 0))
    np.testing.assert_array_equal(read(several, 3), np.asarray(palette.convert("RGB")))
    assert images.form_of([several], None, None).channels == 3
    greys = Image.fromarray(GREY)
    greys.putpalette([level // 3 for level in range(768)])
    (file,) = put(g_png=encoded(greys))
    with Image.open(file) as image:
        assert image.mode == "P"
    assert images.form_of([file], None, None).channels == 1
    np.testing.assert_array_equal(read(file, 1), GREY)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_and_not_cut(kind, put):
    deep = np.array([[0, 1, 128, 129], [256, 257, 1000, 40000], [65000, 65406, 65407, 65535]])
    (file,) = put(x_png=encoded(deep.astype(np.uint16), kind))
    np.testing.assert_array_equal(read(file, 1, (3, 4)), np.rint(deep / 257))
    np.testing.assert_array_equal(read(file, 4, (3, 4))[..., 3], 255)
    assert images.form_of([file], None, None) == Form((3, 4), 1)


def test_twelve_and_thirty_two_bits_and_floats(put):
    deep = np.array([[0, 700], [65535, 65535]])
    twelve = encoded(np.zeros((2, 2), np.uint16), "TIFF").replace(
        struct.pack("<HHIHH", 258, 3, 1, 16, 0), struct.pack("<HHIHH", 258, 3, 1, 12, 0)
    )
    start = struct.unpack("<HHII", twelve[twelve.index(struct.pack("<HH", 273, 4)) :][:12])[3]
    twelve = twelve[:start] + bytes([0xFF, 0xF0, 0x00, 0x80, 0x04, 0x00]) + twelve[start + 6 :]
    whole, floats, few = put(
        i_tif=encoded(deep.astype(np.int32), "TIFF"),
        f_tif=encoded((deep / 65535).astype(np.float32), "TIFF"),
        t_tif=twelve,
    )
    for file in (whole, floats):
        np.testing.assert_array_equal(read(file, 1, (2, 2)), [[0, 3], [255, 255]])
    np.testing.assert_array_equal(read(few, 1, (2, 2)), [[255, 0], [128, 64]])


def test_what_is_transparent_lies_over_black(put):
    alpha = RANDOM.integers(0, 256, (5, 4), np.uint8)
    both = np.dstack([COLOUR, alpha])
    over = COLOUR * (alpha[..., None] / 255)
    (file,) = put(x_png=both)
    np.testing.assert_array_equal(read(file, 4), both)
    np.testing.assert_allclose(read(file, 3), over, atol=0.51)
    np.testing.assert_allclose(read(file, 1), over @ [0.299, 0.587, 0.114], atol=1.01)
    (file,) = put(y_png=encoded(np.dstack([GREY, alpha])))
    np.testing.assert_allclose(read(file, 1), GREY * (alpha / 255), atol=0.51)
    assert images.form_of([file], None, None).channels == 1


def test_one_colour_that_is_transparent(put):
    clear = [tuple(map(int, COLOUR[1, 1])), int(GREY[1, 1])]
    colour, grey, deep, palette = put(
        c_png=encoded(COLOUR, transparency=clear[0]),
        g_png=encoded(GREY, transparency=clear[1]),
        d_png=encoded(GREY.astype(np.uint16) * 257, transparency=clear[1] * 257),
        p_png=encoded(Image.fromarray(GREY).quantize(256), transparency=0),
    )
    np.testing.assert_array_equal(read(colour, 3), np.where(clear[0] == COLOUR, COLOUR * 0, COLOUR))
    for file in (grey, deep):
        np.testing.assert_array_equal(read(file, 1), np.where(clear[1] == GREY, 0, GREY))
        np.testing.assert_array_equal(read(file, 4)[..., 3], np.where(clear[1] == GREY, 0, 255))
    assert (read(palette, 4)[..., 3] == 0).sum() == Counter(GREY.ravel().tolist())[GREY.min()]


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_held_on_its_side(kind, orientation, put):
    upright = np.zeros((16, 24), np.uint8)
    upright[:8, :8] = 255  # the corner at the top left
    turned = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[274] = orientation
    pil = {"png": "PNG", "jpg": "JPEG", "tif": "TIFF", "webp": "WEBP"}[kind]
    (file,) = put(**{f"x_{kind}": encoded(np.ascontiguousarray(turned), pil, exif=exif)})
    assert images.form_of([file], None, 1) == Form((16, 24), 1)
    np.testing.assert_allclose(read(file, 1, (16, 24)), upright, atol=9)


def test_a_broken_exif_header_turns_nothing(put):
    (file,) = put(x_png=encoded(GREY, exif=b"Exif\0\0not one"))
    np.testing.assert_array_equal(read(file, 1), GREY)


def test_the_form_is_that_of_all_images(put, tmp_path):
    grey, colour, large = put(g_png=GREY, c_png=COLOUR, l_png=COLOUR[:3])
    assert images.form_of([grey, grey], None, None) == Form((5, 4), 1)
    assert images.form_of([grey, colour], None, None) == Form((5, 4), 3)
    assert images.form_of([grey], None, 4) == Form((5, 4), 4)
    assert images.form_of([grey, large], (7, 8), None) == Form((7, 8), 3)
    assert images.form_of(["nowhere.png"], (7, 8), 1) == Form((7, 8), 1)
    files = [grey, large, str(tmp_path / "n.png")]
    nowhere, smaller = said(tmp_path, images.form_of, files, None, None)
    assert nowhere == "n.png: error[D001]: no such file or folder"
    sizes = "3 x 4 pixels, but g.png has 5 x 4 (rows x columns)"
    assert smaller == f"l.png: error[D004]: {sizes}; set `size` to make them alike"
    assert images.form_of(["n.png", grey], None, None, skip_broken=True) == Form((5, 4), 1)
    (line,) = said(tmp_path, images.form_of, ["n.png"], None, None, skip_broken=True)
    assert line == "n.png: error[D001]: no such file or folder"


def test_only_images_of_another_size_make_floats(put):
    paths = put(a_png=GREY, b_png=GREY[:3])
    for files, dtype in ((paths[:1], np.uint8), (paths, np.float32)):
        form = Form((5, 4), 1)
        decoded = images.decode(files, form).images
        assert decoded.dtype == dtype
        assert images.resizes(files, form) == (dtype == np.float32)
        np.testing.assert_array_equal(decoded[0, ..., 0], GREY)
    np.testing.assert_array_equal(decoded[1], resize(GREY[:3, :, None], (5, 4)))


@pytest.mark.parametrize("last", [GREY, GREY[:3]])
def test_pixels_are_held_once_even_if_the_last_is_resized(last, put, monkeypatch):
    files = put(**{f"{place}_png": GREY for place in range(9)}, z_png=last)
    monkeypatch.setattr(images, "BLOCK_BYTES", 4 * GREY.size)
    made = []
    monkeypatch.setattr(
        np, "empty", lambda *given, real=np.empty: made.append(given) or real(*given)
    )
    decoded = images.decode(files, Form((5, 4), 1)).images
    whole = [dtype for shape, dtype in made if shape[0] == len(files)]
    assert [np.dtype(one) for one in whole] == [decoded.dtype]
    assert decoded.dtype == (np.uint8 if last is GREY else np.float32)


def bomb(columns, rows):
    """A PNG that says it is large and holds next to nothing."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + start + data + chunk(b"IEND", b"")


def text_bomb():
    """A PNG with a comment of 200 MB in 200 kB."""
    comment = b"c\0\0" + zlib.compress(bytes(200_000_000))
    body = b"zTXt" + comment
    whole = encoded(GREY)
    chunk = struct.pack(">I", len(comment)) + body + struct.pack(">I", zlib.crc32(body))
    return whole[:33] + chunk + whole[33:]


PIXELS = "x.png: error[D004]: expected 1 to 67,108,864 pixels, and at most 65,536 along a side"
UNKNOWN = "x.png: error[D002]: can't be read: expected PNG, JPEG, BMP, GIF, WEBP or TIFF"
UNREADABLE = "x.png: error[D002]: can't be read: "
NOISE = RANDOM.integers(0, 256, (64, 64, 3), np.uint8)
BAD_FILES = {
    "empty": (b"", f"{UNREADABLE}it is empty"),
    "text": (b"not an image\n", UNKNOWN),
    "zeros": (bytes(1000), UNKNOWN),
    "web page": (b"<!doctype html><html><body>404 Not Found</body></html>", UNKNOWN),
    "drawing": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', UNKNOWN),
    "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", UNKNOWN),
    "another format": (b"P5 4 5 255\n" + GREY.tobytes(), UNKNOWN),
    "PNG's signature only": (encoded(GREY)[:8], UNREADABLE),
    "PNG's header only": (encoded(GREY)[:33], UNREADABLE),
    "truncated PNG": (encoded(NOISE)[:-1000], f"{UNREADABLE}image file is truncated"),
    "truncated JPEG": (encoded(NOISE, "JPEG")[:-1000], f"{UNREADABLE}image file is truncated"),
    "truncated BMP": (encoded(NOISE, "BMP")[:-1000], f"{UNREADABLE}image file is truncated"),
    "truncated GIF": (encoded(NOISE, "GIF")[:-1000], f"{UNREADABLE}image file is truncated"),
    "truncated WEBP": (encoded(NOISE, "WEBP")[:-1000], UNREADABLE),
    "truncated TIFF": (encoded(NOISE, "TIFF")[:-1000], UNREADABLE),
    "flipped PNG": (
        encoded(NOISE)[:3000] + b"\xa5" * 99 + encoded(NOISE)[3099:],
        UNREADABLE,
    ),
    "no pixels": (bomb(0, 5), UNREADABLE),
    "bomb": (bomb(10_000, 10_000), f"{PIXELS}, got 100,000,000"),
    "large bomb": (bomb(60_000, 60_000), PIXELS),
    "a little too many pixels": (bomb(8_192, 8_193), f"{PIXELS}, got 67,117,056 ("),
    "thread": (bomb(70_000, 1), f"{PIXELS}, got 70,000 (1 x 70,000)"),
    "bomb in a comment": (text_bomb(), UNREADABLE),
    "NaN": (encoded(np.full((5, 4), np.nan, np.float32), "TIFF"), "x.png: error[D004]: expected"),
    "floats of 255": (
        encoded(np.full((5, 4), 255, np.float32), "TIFF"),
        "x.png: error[D004]: expected grey from 0 to 1, got 255.0 to 255.0",
    ),
    "negative": (
        encoded(np.full((5, 4), -1, np.int32), "TIFF"),
        "x.png: error[D004]: expected grey from 0 to 65535, got -1 to -1",
    ),
    "colours that nobody converts": (
        encoded(Image.new("LAB", (4, 5)), "TIFF"),
        f"{UNREADABLE}conversion from LAB to RGB not supported",
    ),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_are_no_images(name, put, tmp_path):
    content, expected = BAD_FILES[name]
    (file,) = put(x_png=content)
    (line,) = said(tmp_path, images.decode, [file], Form((5, 4), 1))
    assert line.startswith(expected)
    assert len(line) < 300
    assert faults(images.form_of, [file], None, None) <= 1


def test_what_is_no_file(tmp_path):
    (tmp_path / "f.png").mkdir()
    assert said(tmp_path, images.decode, [str(tmp_path / "f.png")], Form((5, 4), 1)) == [
        "f.png: error[D002]: can't be read: it is a folder"
    ]
    (line,) = said(tmp_path, images.decode, ["a\0.png"], Form((5, 4), 1))
    assert line.startswith(r"a\x00.png: error[D002]: can't be read: ")
    (line,) = said(tmp_path, images.decode, ["x" * 5000], Form((5, 4), 1))
    assert "error[D002]: can't be read: " in line
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "p.png")
        (line,) = said(tmp_path, images.decode, [str(tmp_path / "p.png")], Form((5, 4), 1))
        assert line == "p.png: error[D002]: can't be read: it is no file"


def test_a_file_of_too_many_bytes(put, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding, "MAX_BYTES", 10)
    (file,) = put(x_png=GREY)
    (line,) = said(tmp_path, images.form_of, [file], None, None)
    assert line.startswith("x.png: error[D004]: expected at most 10 bytes, got ")


@pytest.fixture
def mixed(put):
    """Nine images, some of them broken."""
    return put(**{f"{place}_png": b"" if place in (0, 4, 8) else GREY for place in range(9)})


@pytest.mark.parametrize("step", [1, 2, 4, 100])
def test_broken_files_are_told_all_at_once_or_left_out(step, mixed, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "BLOCK_BYTES", 4 * GREY.size * step)
    form = Form((5, 4), 1)
    lines = said(tmp_path, images.decode, mixed, form)
    assert lines == [f"{place}.png: error[D002]: can't be read: it is empty" for place in (0, 4, 8)]
    decoded = images.decode(mixed, form, skip_broken=True)
    assert decoded.rows.tolist() == [1, 2, 3, 5, 6, 7]
    np.testing.assert_array_equal(decoded.images[..., 0], [GREY] * 6)
    told = [str(problem).replace(f"{tmp_path}{os.sep}", "") for problem in decoded.problems]
    assert told == [line.replace("error", "warning") for line in lines]
    runs = list(images.blocks(mixed, form, skip_broken=True))
    assert len(runs) == -(-9 // step)
    assert [row for run in runs for row in run.rows] == decoded.rows.tolist()
    assert said(tmp_path, images.decode, [mixed[0], mixed[4]], form, skip_broken=True) == lines[:2]


def test_no_block_comes_after_the_first_bad_file(mixed, tmp_path, monkeypatch):
    monkeypatch.setattr(images, "BLOCK_BYTES", 4 * GREY.size * 2)
    came = []

    def walk():
        for block in images.blocks(mixed[1:], Form((5, 4), 1)):
            came.append(block.rows.tolist())  # noqa: PERF401 - as far as they come

    assert [line[:5] for line in said(tmp_path, walk)] == ["4.png", "8.png"]
    assert came == [[0, 1]]


def test_of_many_broken_files_ten_are_named(tmp_path):
    files = [str(tmp_path / f"{place}.png") for place in range(1234)]
    lines = said(tmp_path, images.decode, files, Form((5, 4), 1))
    assert lines[8] == "8.png: error[D001]: no such file or folder"
    assert lines[9:] == ["9.png: error[D001]: no such file or folder; and 1,224 more faults"]


def test_large_files_are_decoded_in_threads_to_the_same_numbers(put, monkeypatch):
    files = put(**{f"{place}_png": np.roll(NOISE, place) for place in range(20)}, bad_png=b"no")
    form = Form((9, 9), 3)
    one = images.decode(files, form, skip_broken=True)
    monkeypatch.setattr(images, "_LARGE", 0)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    several = images.decode(files, form, skip_broken=True)
    np.testing.assert_array_equal(one.images, several.images)
    np.testing.assert_array_equal(one.rows, several.rows)
    assert one.problems == several.problems


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"])
def test_flipped_and_truncated_files(kind, tmp_path, capfd):
    """Whatever the damage: pixels or a DataError, no other exception, and not a word besides."""
    whole = encoded(
        NOISE[:16, :16], kind, **({"compression": "tiff_lzw"} if kind == "TIFF" else {})
    )
    path = tmp_path / "x.png"

    @settings(max_examples=300, derandomize=True, deadline=None)
    @given(st.integers(0, min(len(whole) - 1, 400)), st.integers(1, 255), st.booleans())
    def damage(place, bits, cut):
        damaged = bytearray(whole[:place] if cut else whole)
        if not cut:
            damaged[place] ^= bits
        path.write_bytes(damaged)
        assert faults(images.form_of, [str(path)], None, None) <= 1
        assert faults(images.decode, [str(path)], Form((16, 16), 3)) <= 1

    damage()
    if kind != "TIFF":  # libtiff speaks for itself
        assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("tensorflow")
def test_resizing_is_that_of_keras():
    """Of 300 sizes all were equal to the last bit; processors that fuse sums may differ by it."""
    import keras

    for case in range(60):
        most = 300 if case % 2 else 30
        rows, columns, *size = RANDOM.integers(1, most, 4).tolist()
        channels = (1, 3, 4)[case % 3]
        if case % 5 == 0:
            size[case % 2] = (rows, columns)[case % 2]
        image = RANDOM.integers(0, 256, (rows, columns, channels), np.uint8)
        layer = keras.layers.Resizing(*size, interpolation="bilinear", antialias=True)
        expected = np.asarray(layer(image[None].astype(np.float32)))[0]
        made = resize(image, (size[0], size[1]))
        assert made.dtype == np.float32
        np.testing.assert_allclose(made, expected, rtol=0, atol=1e-4)


def test_a_photograph_made_small_keeps_its_mean():
    """A board of black and white fields, which single pixels would show as one of both."""
    board = np.indices((300, 400)).sum(0)[..., None] % 2 * 255
    small = resize(board.astype(np.uint8), (20, 25))
    np.testing.assert_allclose(small[1:-1, 1:-1], 127.5, atol=2)


def test_digits_of_a_folder_are_those_of_the_arrays(real_data):
    """The same digits as .npz and as a folder of PNG files."""
    root = str(real_data / "mnist01_png")
    parts = images.parts(root)
    assert list(parts) == ["train", "test"]
    found = images.folder(parts["train"])
    assert found.names == ("0", "1")
    form = images.form_of(found.files, None, None)
    assert form == Form((28, 28), 1)
    decoded = images.decode(found.files, form)
    assert decoded.images.dtype == np.uint8
    assert decoded.images.shape == (len(found.files), 28, 28, 1)
    with np.load(real_data / "mnist01" / "train.npz") as archive:
        labels = dict(zip(map(bytes, archive["x"]), archive["y"].tolist(), strict=True))
    assert [labels[bytes(image)] for image in decoded.images] == found.labels.tolist()
