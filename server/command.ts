// The command line of the server's own machine: serve, models, keys, backup, restore.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createAccounts } from './accounts/index.ts';
import { type Contents, backUp, restoreAll } from './backup.ts';
import { createGroupCommit, FolderInUse, openDatabase } from './database/index.ts';
import { createKeys, makeAdminKey } from './keys/index.ts';
import { modelsOptions, startServer } from './main.ts';
import { modelsCommand, modelsUsage, openModels } from './models/index.ts';
import { createPlanStore, loadPlans } from './plans/index.ts';
import { readSettings, type Settings } from './settings.ts';

const usage = `vectorium serve
${modelsUsage}
vectorium keys create --admin
vectorium backup [--no-files] <file>
vectorium restore <file>

Settings are environment variables: docs/configuration.md`;

/** Runs one command line (without `node vectorium`) and returns the exit code. */
export async function main(args: string[]): Promise<number> {
  const [command, ...rest] = args;
  try {
    const settings = readSettings(process.env);
    switch (command) {
      case 'serve':
        return await serve(settings);
      case 'models':
        return await modelsCommand(await openModels(modelsOptions(settings, () => {})), rest);
      case 'keys':
        return await createAdminKey(settings, rest);
      case 'backup':
        return await backupTo(settings, rest);
      case 'restore':
        return await withFile(rest, async file => {
          const { files } = await restoreAll(settings, file);
          console.log(`Restored from ${file}: the database and ${told(files)}`);
        });
      case undefined:
      case 'help':
      case '--help':
        console.log(usage);
        return 0;
      default:
        console.error(`There is no command "${command}".\n\n${usage}`);
        return 2;
    }
  } catch (error) {
    console.error(`vectorium: ${error instanceof Error ? error.message : String(error)}`);
    return error instanceof FolderInUse ? 3 : 1;
  }
}

async function serve(settings: Settings): Promise<number> {
  const server = await startServer(settings);
  console.error(`\n  The console:  ${settings.publicUrl ?? server.url}/`);
  if (server.firstLink !== null) {
    console.error(
      `  Become its administrator by this link, shown this once and good for a week:\n    ${server.firstLink}`,
    );
  }
  if (server.madeAdminKey !== null) {
    console.error(`  The administrator's key, shown this once:  ${server.madeAdminKey}`);
  }
  console.error('');
  const signal = await new Promise<NodeJS.Signals>(resolve => {
    // A second signal ends the process the ordinary way, for those who don't want to wait.
    for (const each of ['SIGTERM', 'SIGINT'] as const) process.once(each, resolve);
  });
  console.error(`vectorium: ${signal}, finishing what is in flight`);
  await server.close();
  return 0;
}

async function createAdminKey(settings: Settings, args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { admin: { type: 'boolean' }, name: { type: 'string', default: 'command line' } },
  });
  if (positionals.join(' ') !== 'create' || !values.admin) {
    console.error(`vectorium keys create --admin [--name NAME]; other keys are made by an administrator over the API`);
    return 2;
  }
  const database = await openDatabase({ ...place(settings), join: true });
  try {
    const plans = await createPlanStore({ database, file: await loadPlans(settings.dataFolder) });
    const models = await openModels(modelsOptions(settings, () => {}));
    const accounts = await createAccounts({ database, plans, defaultModelFor: plan => models.defaultFor(plan) });
    const commit = createGroupCommit(database);
    const keys = await createKeys({ database, plans, accounts, commit });
    console.log(await makeAdminKey({ accounts, keys, plans }, values.name));
    await commit.close();
  } finally {
    await database.close();
  }
  return 0;
}

async function backupTo(settings: Settings, args: string[]): Promise<number> {
  const withFiles = !args.includes('--no-files');
  const rest = args.filter(each => each !== '--no-files');
  return withFile(rest, async file => {
    const { files } = await backUp(settings, file, { withFiles });
    console.log(`Backed up to ${file}: the database and ${told(files)}`);
    if (files) return;
    const { s3Url } = settings.files;
    const where = s3Url === undefined ? join(settings.dataFolder, 'storage', 'objects') : 'the bucket of S3_URL';
    console.log(`The files of datasets and models are not in it: copy ${where} now, after the backup`);
  });
}

function told(files: Contents['files']): string {
  return files ? `${files.count} files (${files.bytes} bytes)` : 'no files';
}

async function withFile(args: string[], run: (file: string) => Promise<void>): Promise<number> {
  const [file, ...more] = args;
  if (file === undefined || more.length > 0) {
    console.error(usage);
    return 2;
  }
  await run(file);
  return 0;
}

const place = (settings: Settings) => ({ url: settings.databaseUrl, folder: settings.dataFolder });
