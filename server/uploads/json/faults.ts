// What can be wrong with a JSON body that is read as it comes, said with the place.
import { ApiError } from '../../http/index.ts';

/** `offset` counts the body's bytes from 0. */
export function unexpected(byte: number, offset: number, expected: string): ApiError {
  return notJson(`${nameOf(byte)} at byte ${offset}, where ${expected} is expected`, offset);
}

export function notJson(what: string, offset: number): ApiError {
  return new ApiError('INVALID_JSON', { message: `the body is not JSON: ${what}`, details: { offset } });
}

export function cutOff(offset: number, where: string): ApiError {
  return new ApiError('INVALID_JSON', {
    message: `the body ends too early, at byte ${offset}, ${where}`,
    details: { offset },
  });
}

export function badField(param: string, what: string, offset: number): ApiError {
  return new ApiError('INVALID_PARAMETER', { message: `${param} ${what}`, param, details: { offset } });
}

export function nameOf(byte: number): string {
  return byte > 0x20 && byte < 0x7f
    ? `"${String.fromCharCode(byte)}"`
    : `the byte 0x${byte.toString(16).padStart(2, '0')}`;
}
