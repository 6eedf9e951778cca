// The program that resumable.test.ts kills: a server with the upload routes on a storage folder that outlives it.
import { serveEcho } from './testing.ts';

const [folder = ''] = process.argv.slice(2);
const { url, key } = await serveEcho(folder);
process.send?.({ url, key });
