// What callers of tables may have to tell their user: a stable code, a sentence, and the place in the request.

export class TableError extends Error {
  override readonly name = 'TableError';
  readonly code: string;
  /** Where in the request, e.g. `operations[2].params.where`. */
  readonly param?: string;

  constructor(code: string, message: string, param?: string) {
    super(message);
    this.code = code;
    if (param !== undefined) this.param = param;
  }
}
