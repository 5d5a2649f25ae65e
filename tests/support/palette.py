"""PNGs of 256 colours, a third as large: the browser counts the colours, zlib does the rest."""

from __future__ import annotations

import base64
import struct
import zlib

from playwright.async_api import Page

__all__ = ["shrink"]

COUNT = """async (url) => {
  const image = await createImageBitmap(await (await fetch(url)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height);
  const drawing = canvas.getContext("2d");
  drawing.drawImage(image, 0, 0);
  const pixels = new Uint32Array(drawing.getImageData(0, 0, image.width, image.height).data.buffer);
  const counts = new Map();
  for (const one of pixels) counts.set(one, (counts.get(one) ?? 0) + 1);
  const sorted = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || a - b);
  const kept = sorted.slice(0, 256);
  const parts = (color) => [color & 255, (color >> 8) & 255, (color >> 16) & 255];
  const palette = kept.map(parts);
  const places = new Map(kept.map((color, place) => [color, place]));
  const findNearest = (color) => {
    const [r, g, b] = parts(color);
    const far = palette.map(([x, y, z]) => (r - x) ** 2 + (g - y) ** 2 + (b - z) ** 2);
    return far.indexOf(Math.min(...far));
  };
  for (const color of counts.keys()) if (!places.has(color)) places.set(color, findNearest(color));
  const indices = Uint8Array.from(pixels, (one) => places.get(one));
  let text = "";
  for (let i = 0; i < indices.length; i += 8192)
    text += String.fromCharCode(...indices.subarray(i, i + 8192));
  return [image.width, image.height, palette.flat(), btoa(text)];
}"""


async def shrink(tab: Page, png: bytes) -> bytes:
    """The same picture in its 256 most frequent colours; `tab` is an empty one."""
    url = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    width, height, palette, encoded = await tab.evaluate(COUNT, url)
    pixels = base64.b64decode(encoded)
    rows = b"".join(
        b"\0" + pixels[start : start + width] for start in range(0, width * height, width)
    )
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", bytes(palette)), (b"IDAT", zlib.compress(rows, 9)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*one) for one in (*parts, (b"IEND", b"")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))
