// The whole path with the parts that other machines have: PostgreSQL for the rows, S3 for the files.
import { expect, test } from 'vitest';
import { startDatabases } from '../database/testing.ts';
import { startS3 } from '../storage/testing.ts';
import { startDatasetServer } from './testing.ts';

test('upload, process, rows, download and delete on PostgreSQL and S3', { timeout: 120_000 }, async ({ skip }) => {
  const databases = await startDatabases('postgresql');
  const s3 = databases && (await startS3());
  if (!databases || !s3) {
    await databases?.stop();
    return skip('no PostgreSQL or no S3 server here');
  }
  const { url = '' } = await databases.place();
  const { client, sdk } = s3.connection;
  await client.send(new sdk.CreateBucketCommand({ Bucket: 'datasets' }));
  const objects = async () =>
    ((await client.send(new sdk.ListObjectsV2Command({ Bucket: 'datasets' }))).Contents ?? []).length;
  const server = await startDatasetServer({
    DATABASE_URL: url,
    S3_URL: 's3://datasets/here',
    AWS_ENDPOINT_URL: s3.endpoint,
    AWS_REGION: 'us-east-1',
  });
  try {
    const { key } = await server.account();
    const { body } = await server.upload<{ dataset_id: string }>(key, 'name,age\n Ada ,36\nAda,36\nBob,\n');
    const { dataset_id: id } = body;
    const embed = { type: 'enrich', params: { op: 'embed_text', column: 'name', model: 'e5_small' } };
    const processed = await server.ask('POST', '/v2/process', key, {
      dataset_id: id,
      operations: [{ type: 'clean' }, embed],
    });
    expect(processed, JSON.stringify(processed.body)).toMatchObject({
      status: 200,
      body: { status: 'succeeded', version: 2, rows: 2 },
    });
    expect(await objects()).toBe(2);
    const rows = await server.ask('GET', `/v2/data/${id}/rows?columns=name,age`, key);
    expect(rows.body).toMatchObject({
      data: [
        { name: 'Ada', age: 36 },
        { name: 'Bob', age: null },
      ],
    });
    const shown = await server.ask('GET', `/v2/data/${id}@1/profile`, key);
    expect(shown.body).toMatchObject({
      rows: 3,
      columns: [
        { name: 'name', distinct: 3 },
        { name: 'age', nulls: 1 },
      ],
    });
    expect(await (await server.fetch(`/v2/data/${id}@1/download`, key)).text()).toContain('Bob,');
    expect((await server.ask('DELETE', `/v2/data/${id}@1`, key)).status).toBe(200);
    expect(await objects()).toBe(1);
    expect((await server.ask('DELETE', `/v2/data/${id}`, key)).status).toBe(200);
    expect(await objects()).toBe(0);
  } finally {
    await server.end();
    await s3.stop();
    await databases.stop();
  }
});
