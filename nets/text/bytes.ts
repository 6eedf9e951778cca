/** The 256 characters by which GPT-2's tokenizers write bytes: printable ones stand for themselves, the others follow from
 *  U+0100 on (Radford et al. 2019). */

const own = (byte: number): boolean => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 255 && byte !== 173);

export const BYTE_CHARACTERS: readonly string[] = (() => {
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(own(byte) ? byte : 256 + others++));
})();

const BYTES: ReadonlyMap<string, number> = new Map(BYTE_CHARACTERS.map((character, byte) => [character, byte]));

/** The bytes that a piece stands for; of a piece with any other character (an added token) its own in UTF-8. */
export function bytesOfPiece(piece: string): Uint8Array {
  const bytes = new Uint8Array(piece.length);
  for (let i = 0; i < piece.length; i++) {
    const byte = BYTES.get(piece.charAt(i));
    if (byte === undefined) return Buffer.from(piece);
    bytes[i] = byte;
  }
  return bytes;
}
