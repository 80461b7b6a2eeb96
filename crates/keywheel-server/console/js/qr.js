// QR codes (ISO/IEC 18004), as much of them as an address needs: bytes, error correction L, versions 1 to 9.

import { s } from "./dom.js";

/** By version: bytes of data, blocks that they are split into, and bytes of error correction of each block. */
const VERSIONS = [[19, 1, 7], [34, 1, 10], [55, 1, 15], [80, 1, 20], [108, 1, 26], [136, 2, 18], [156, 2, 20], [194, 2, 24], [232, 2, 30]];
/** Level L with mask 0. Any mask can be read; the best one would only help bad cameras. */
const FORMAT = 0x77c4;
/** What versions from 7 on say of themselves. */
const VERSION_BITS = { 7: 0x07c94, 8: 0x085bc, 9: 0x09a99 };
/** Light modules around the code, without which readers do not find it. */
const MARGIN = 4;

const POWERS = [];
for (let power = 1, at = 0; at < 255; at += 1) {
  POWERS.push(power);
  power = power & 128 ? (power << 1) ^ 0x11d : power << 1;
}
const times = (one, other) => (one && other ? POWERS[(POWERS.indexOf(one) + POWERS.indexOf(other)) % 255] : 0);

/** The remainder of a block by the generator polynomial (Reed–Solomon). */
function correction(block, length) {
  let generator = [1];
  for (let root = 0; root < length; root += 1) {
    generator = [...generator, 0].map((factor, at) => factor ^ times(generator[at - 1] ?? 0, POWERS[root]));
  }
  const rest = [...block, ...Array(length).fill(0)];
  for (let at = 0; at < block.length; at += 1) {
    const factor = rest[at];
    generator.forEach((one, step) => { rest[at + step] ^= times(one, factor); });
  }
  return rest.slice(block.length);
}

/** All bytes in the order in which they are drawn. */
function codewords(bytes, [capacity, blocks, length]) {
  // The mode (4 bits) and the length (8) shift everything by half a byte; the end mark fills the last half.
  const halves = [4, bytes.length >> 4, bytes.length & 15, ...[...bytes].flatMap((byte) => [byte >> 4, byte & 15]), 0];
  const data = Array.from({ length: capacity }, (_, at) =>
    (2 * at < halves.length ? (halves[2 * at] << 4) | halves[2 * at + 1] : (at - halves.length / 2) % 2 ? 0x11 : 0xec));
  const parts = Array.from({ length: blocks }, (_, at) => data.slice((at * capacity) / blocks, ((at + 1) * capacity) / blocks));
  const woven = (lists) => lists[0].flatMap((_, at) => lists.map((list) => list[at]));
  return [...woven(parts), ...woven(parts.map((part) => correction(part, length)))];
}

/** The grid with everything that is not data; what is free is undefined. */
function frame(version) {
  const size = 17 + 4 * version;
  const grid = Array.from({ length: size }, () => Array(size));
  const rings = (row, column, reach, isDark) => {
    for (let down = -reach; down <= reach; down += 1) {
      for (let right = -reach; right <= reach; right += 1) {
        const [y, x] = [row + down, column + right];
        if (y in grid && x >= 0 && x < size) grid[y][x] = isDark(Math.max(Math.abs(down), Math.abs(right)));
      }
    }
  };
  for (let at = 8; at < size - 8; at += 1) grid[6][at] = grid[at][6] = at % 2 === 0;
  const centres = version === 1 ? [] : version < 7 ? [6, size - 7] : [6, (size - 1) / 2, size - 7];
  const isInCorner = (row, column) => [row, column].includes(6) && (row + column === 12 || row + column === size - 1);
  for (const row of centres) {
    for (const column of centres) if (!isInCorner(row, column)) rings(row, column, 2, (ring) => ring !== 1);
  }
  for (const [row, column] of [[3, 3], [3, size - 4], [size - 4, 3]]) rings(row, column, 4, (ring) => ring !== 2 && ring !== 4);
  for (let bit = 0; bit < 15; bit += 1) {
    const isDark = ((FORMAT >> bit) & 1) === 1;
    grid[bit < 6 ? bit : bit < 8 ? bit + 1 : 8][bit < 8 ? 8 : bit === 8 ? 7 : 14 - bit] = isDark;
    grid[bit < 8 ? 8 : size - 15 + bit][bit < 8 ? size - 1 - bit : 8] = isDark;
  }
  grid[size - 8][8] = true;
  for (let bit = 0; version in VERSION_BITS && bit < 18; bit += 1) {
    const [far, near] = [size - 11 + (bit % 3), Math.floor(bit / 3)];
    grid[far][near] = grid[near][far] = ((VERSION_BITS[version] >> bit) & 1) === 1;
  }
  return grid;
}

/**
 * The modules of the code of a text, row by row, true for dark ones; null if the text is too long.
 * @returns {boolean[][] | null}
 */
export function modulesOf(text) {
  const bytes = new TextEncoder().encode(text);
  const at = VERSIONS.findIndex(([capacity]) => bytes.length + 2 <= capacity);
  if (at < 0) return null;
  const words = codewords(bytes, VERSIONS[at]);
  const grid = frame(at + 1);
  const size = grid.length;
  let bit = 0;
  for (let right = size - 1; right > 0; right -= 2) {
    // The column of the timing pattern holds no data.
    if (right === 6) right = 5;
    const isUp = ((right + 1) & 2) === 0;
    for (let step = 0; step < size; step += 1) {
      const row = isUp ? size - 1 - step : step;
      for (const column of [right, right - 1]) {
        if (grid[row][column] !== undefined) continue;
        const isDark = ((words[bit >> 3] >> (7 - (bit & 7))) & 1) === 1;
        grid[row][column] = isDark !== ((row + column) % 2 === 0);
        bit += 1;
      }
    }
  }
  return grid;
}

/** A picture of the code of a text, dark on light in every theme; nothing if the text is too long. @returns {SVGElement | null} */
export function qrCode(text, label) {
  const grid = modulesOf(text);
  if (!grid) return null;
  const size = grid.length + 2 * MARGIN;
  const dark = grid.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x + MARGIN} ${y + MARGIN}h1v1h-1z` : ""))).join("");
  return s("svg.qr", { viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    s("rect", { width: size, height: size, fill: "#fff" }), s("path", { d: dark, fill: "#000" }));
}
