import { z } from 'zod';
import { expect, test } from 'vitest';
import {
  type ErrorCode,
  errorBody,
  errorCodesOf,
  errorKinds,
  errorSchemas,
  openApiDocument,
  routes,
  statusOf,
} from './index.ts';
import type { Route } from './route.ts';

type Json = { [name: string]: unknown };
const all: Route[] = Object.values(routes);
const document = openApiDocument(all, { version: '1.2.3' });
const operations = Object.entries(document['paths'] as Record<string, Record<string, Json>>).flatMap(
  ([path, methods]) => Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
);

test('the document is plain JSON in which every reference leads somewhere', () => {
  expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  const references: string[] = [];
  JSON.stringify(document, (name, value: unknown) => {
    if (name === '$ref') references.push(String(value));
    return value;
  });
  expect(references.length).toBeGreaterThan(100);
  for (const reference of new Set(references)) {
    const target = reference
      .slice(2)
      .split('/')
      .reduce<unknown>((at, step) => (at as Json)[step], document);
    expect(target, reference).toBeTypeOf('object');
  }
});

test('every route and alias is an operation with an id of its own', () => {
  const places = all.flatMap(({ method, path, aliases }) =>
    [path, ...(aliases ?? [])].map(each => `${method} ${each}`),
  );
  expect(operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`).toSorted()).toEqual(places.toSorted());
  const ids = operations.map(({ operation }) => operation['operationId']);
  expect(new Set(ids).size).toBe(ids.length);
});

test('names in braces are parameters of the path', () => {
  for (const { path, operation } of operations) {
    const declared = ((operation['parameters'] ?? []) as Json[]).filter(each => each['in'] === 'path');
    expect(declared.map(each => each['name'])).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(match => match[1]));
  }
});

test('routes that need a key say so, and say what they answer without one', () => {
  for (const route of all) {
    const found = operations.find(({ operation }) => operation['operationId'] === route.id);
    expect(found?.operation['security']).toEqual(
      route.auth === 'none' ? [] : [route.auth === 'session' ? { session: [] } : { key: [] }],
    );
    const answers = Object.keys(found?.operation['responses'] as Json);
    expect(answers).toContain('200');
    expect(answers.includes('401') || route.auth === 'none').toBe(true);
    expect(answers.includes('403')).toBe(errorCodesOf(route).some(code => statusOf(code, route.dialect) === 403));
    expect(answers.includes('403') || (route.auth !== 'admin' && route.scope === undefined)).toBe(true);
    expect(answers.includes('422')).toBe(errorCodesOf(route).some(code => statusOf(code, route.dialect) === 422));
  }
});

test('the examples are what the schemas ask for', () => {
  for (const route of all) {
    const { body, answer } = route.example ?? {};
    if (body !== undefined) expect(route.body?.safeParse(body), route.id).toMatchObject({ success: true });
    if (answer !== undefined) expect(route.answer.safeParse(answer), route.id).toMatchObject({ success: true });
  }
});

test('the document lists exactly the codes of the table', () => {
  const { info } = document as { info: { description: string } };
  const listed = [...info.description.matchAll(/^- `([A-Z_]+)` \((\d+)\)/gm)].map(([, code, status]) => [
    code,
    Number(status),
  ]);
  expect(listed).toEqual(Object.entries(errorKinds).map(([code, kind]) => [code, kind.status]));
});

test('every code has a body of the documented shape in every dialect', () => {
  for (const code of Object.keys(errorKinds) as ErrorCode[]) {
    const error = { code, message: 'What happened', requestId: 'req_1' };
    for (const dialect of ['native', 'vectorial'] as const) {
      const body = errorBody(error, dialect);
      expect(z.strictObject(errorSchemas.Error.shape).safeParse(body)).toMatchObject({ success: true });
      expect(body).toMatchObject({ detail: 'What happened', message: 'What happened', error: 'What happened', code });
    }
    expect(errorSchemas.OpenAIError.safeParse(errorBody(error, 'openai'))).toMatchObject({ success: true });
    expect(statusOf(code, 'native')).toBeGreaterThanOrEqual(400);
  }
  expect(statusOf('VALIDATION_ERROR', 'native')).toBe(422);
  expect(statusOf('VALIDATION_ERROR', 'openai')).toBe(400);
  expect(statusOf('VALIDATION_ERROR', 'vectorial')).toBe(400);
  expect([statusOf('MODEL_NOT_FOUND', 'native'), statusOf('MODEL_NOT_FOUND', 'openai')]).toEqual([404, 400]);
});
