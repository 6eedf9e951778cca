// Cells of Arrow's columns as JSON has them, with all of their digits.
import { DataType, TimeUnit, Type, Vector } from 'apache-arrow';
import type { Data, Field } from 'apache-arrow';
import type { Value } from '../types.ts';

export function valueAt(data: Data, index: number): Value {
  if (data.nullCount > 0 && !data.getValid(index)) return null;
  const type: DataType = data.type;
  const at = (child: number, from: number, to: number) => {
    const items = data.children[child];
    return items ? Array.from({ length: to - from }, (_, offset) => valueAt(items, from + offset)) : [];
  };
  switch (type.typeId) {
    case Type.List:
    case Type.Map: {
      const offsets = data.valueOffsets;
      return at(0, Number(offsets[index]), Number(offsets[index + 1]));
    }
    case Type.FixedSizeList: {
      const { listSize } = type as DataType & { listSize: number };
      return at(0, index * listSize, (index + 1) * listSize);
    }
    case Type.Struct:
      return Object.fromEntries(
        (type.children as Field[]).map((child, position) => {
          const items = data.children[position];
          return [child.name, items ? valueAt(items, index) : null];
        }),
      );
    case Type.Timestamp:
      return timestamp(BigInt(data.values[index]), type as DataType & { unit: TimeUnit; timezone?: string | null });
    case Type.Date:
      return new Date(Number(data.values[index]) * (data.values instanceof BigInt64Array ? 1 : 86_400_000))
        .toISOString()
        .slice(0, 10);
    case Type.Time:
      return timeOfDay(BigInt(data.values[index]), (type as DataType & { unit: TimeUnit }).unit);
    case Type.Duration:
      return String(data.values[index]);
    case Type.Decimal:
      return decimal(data.values, index, type as DataType & { scale: number; bitWidth: number });
    default:
      return plain(getScalar(data, index));
  }
}

/** Vectors read scalars; making one for each cell would cost more than the cell. */
const vectors = new WeakMap<Data, Vector>();

function getScalar(data: Data, index: number): unknown {
  let vector = vectors.get(data);
  if (!vector) vectors.set(data, (vector = new Vector([data])));
  return vector.get(index);
}

function plain(value: unknown): Value {
  if (value === null || value === undefined) return null;
  if (typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (ArrayBuffer.isView(value)) return JSON.stringify(value);
  return String(value);
}

const unitsASecond: Record<TimeUnit, bigint> = {
  [TimeUnit.SECOND]: 1n,
  [TimeUnit.MILLISECOND]: 1_000n,
  [TimeUnit.MICROSECOND]: 1_000_000n,
  [TimeUnit.NANOSECOND]: 1_000_000_000n,
};

function timestamp(units: bigint, { unit, timezone }: { unit: TimeUnit; timezone?: string | null }): string {
  const { seconds, fraction } = split(units, unit);
  return new Date(Number(seconds) * 1000).toISOString().slice(0, 19) + fraction + (timezone ? 'Z' : '');
}

function timeOfDay(units: bigint, unit: TimeUnit): string {
  const { seconds, fraction } = split(units, unit);
  return new Date(Number(seconds) * 1000).toISOString().slice(11, 19) + fraction;
}

function split(units: bigint, unit: TimeUnit): { seconds: bigint; fraction: string } {
  const scale = unitsASecond[unit];
  // Division rounds towards zero; times before 1970 have a fraction that counts upwards too.
  const rest = ((units % scale) + scale) % scale;
  const fraction = scale === 1n ? '' : `.${String(rest).padStart(String(scale).length - 1, '0')}`;
  return { seconds: (units - rest) / scale, fraction };
}

/** 128 or 256 bits, least significant word first, two's complement. */
function decimal(words: Uint32Array, index: number, { scale, bitWidth }: { scale: number; bitWidth: number }): string {
  const count = bitWidth / 32;
  let unscaled = 0n;
  for (let word = count - 1; word >= 0; word--) unscaled = (unscaled << 32n) | BigInt(words[index * count + word] ?? 0);
  const signed = BigInt.asIntN(bitWidth, unscaled);
  const digits = String(signed < 0n ? -signed : signed).padStart(scale + 1, '0');
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return signed < 0n ? `-${text}` : text;
}
