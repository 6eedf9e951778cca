// Tells owners when 50, 80 and 95 % of a month's budget are spent: by mail, and by the account's webhook.
//
// What was passed is a row, so it is told once, also by several server processes and across restarts. Of parts that are passed together
// the largest is told. A mail that isn't taken is tried again, for the owners who have not had it.
import { alertPercents } from '@vectorium/contract';
import { monthOf } from '../accounts/index.ts';
import type { Database, Row } from '../database/index.ts';
import type { Mailer } from '../mail/index.ts';
import { formatUsd } from '../plans/index.ts';

export interface BudgetAlerts {
  /** Looks now, and resolves when what was found has been told. */
  look(): Promise<void>;
  close(): Promise<void>;
}

export interface BudgetAlertsOptions {
  database: Database;
  mailer: Mailer;
  /** A page of the console. */
  link(page: string): string;
  webhooks: { wake(): void };
  log?: (event: string, fields: object) => void;
  now?: () => Date;
}

const lookEveryMs = 60_000;
const mostTries = 6;

export function createBudgetAlerts(options: BudgetAlertsOptions): BudgetAlerts {
  const { database, mailer, link, webhooks, log = () => {}, now = () => new Date() } = options;
  let looking: Promise<void> = Promise.resolve();

  async function lookOnce(): Promise<void> {
    const rows = await database.query(passedStatement, [
      `${monthOf(now())}-01`,
      JSON.stringify(alertPercents),
      now(),
      mailer.sends,
    ]);
    if (rows.length > 0) webhooks.wake();
    while (mailer.sends && (await mailOne()));
  }

  /** False when there is nothing to mail. It is put off before it is tried: should this process die, it is tried again. */
  async function mailOne(): Promise<boolean> {
    const [row] = await database.query(
      `UPDATE budget_alerts b SET tries = tries + 1, mail_at = $1::timestamptz + tries * interval '5 minutes' + interval '5 minutes'
       FROM accounts a WHERE a.id = b.account_id AND (b.account_id, b.month, b.percent) = (
         SELECT account_id, month, percent FROM budget_alerts WHERE mail_at <= $1::timestamptz ORDER BY mail_at LIMIT 1 FOR UPDATE SKIP LOCKED)
       RETURNING b.account_id, b.month, b.percent, b.tries, b.mailed, a.name, a.spent_picodollars, a.budget_picodollars, a.budget_hard`,
      [now()],
    );
    if (!row) return false;
    const owners = await database.query<{ email: string; language: string }>(
      `SELECT p.email, p.language FROM members m JOIN people p ON p.id = m.person_id
       WHERE m.account_id = $1 AND m.role = 'owner' AND NOT $2::jsonb ? p.email`,
      [row['account_id'], JSON.stringify(row['mailed'])],
    );
    const alert = [row['account_id'], row['month'], row['percent']];
    const which = 'account_id = $1 AND month = $2::date AND percent = $3';
    let refused = false;
    for (const owner of owners) {
      try {
        await mailer.send({ to: owner.email, ...textOf(row, owner.language, link('/console/usage')) });
        await database.query(`UPDATE budget_alerts SET mailed = mailed || to_jsonb($4::text) WHERE ${which}`, [
          ...alert,
          owner.email,
        ]);
      } catch (error) {
        // One who can't be reached keeps the others from nothing.
        refused = true;
        log('billing.alert_not_mailed', { account_id: row['account_id'], message: messageOf(error) });
      }
    }
    if (!refused || Number(row['tries']) >= mostTries)
      await database.query(`UPDATE budget_alerts SET mail_at = NULL WHERE ${which}`, alert);
    return true;
  }

  function look(): Promise<void> {
    looking = looking
      .then(lookOnce)
      .catch((error: unknown) => log('billing.alerts_failed', { message: messageOf(error) }));
    return looking;
  }

  const timer = setInterval(() => void look(), lookEveryMs);
  timer.unref();
  return {
    look,
    async close() {
      clearInterval(timer);
      await looking;
    },
  };
}

function textOf(row: Row, language: string, link: string): { subject: string; text: string } {
  const percent = Number(row['percent']);
  const spent = dollars(row['spent_picodollars']);
  const budget = dollars(row['budget_picodollars']);
  const name = String(row['name']);
  if (language === 'tr') {
    const hard = row['budget_hard'] === true ? ' Bütçeyi aşacak istekler reddedilir.' : '';
    return {
      subject: `${name}: aylık bütçenin %${percent}'i harcandı`,
      text: `${name} hesabında bu ay ${budget} tutarındaki bütçenin ${spent} kadarı harcandı.${hard}\n\n${link}\n`,
    };
  }
  const hard = row['budget_hard'] === true ? ' Requests that would pass the budget are refused.' : '';
  return {
    subject: `${name}: ${percent} % of the month's budget are spent`,
    text: `The account ${name} has spent ${spent} of this month's budget of ${budget}.${hard}\n\n${link}\n`,
  };
}

function dollars(picodollars: unknown): string {
  return `$${Number(formatUsd(picodollars as bigint)).toFixed(2)}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** $1 the month, $2 percents as JSON, $3 now, $4 whether mail goes out. */
const passedStatement = `
  WITH passed AS (
    SELECT a.id, a.spent_month, p.percent, a.budget_mail, a.budget_webhook, a.spent_picodollars, a.budget_picodollars,
      max(p.percent) OVER (PARTITION BY a.id) AS most
    FROM accounts a CROSS JOIN (SELECT value::integer AS percent FROM json_array_elements_text($2::json)) AS p
    WHERE a.budget_picodollars > 0 AND a.spent_month = $1::date
      AND a.spent_picodollars::numeric * 100 >= a.budget_picodollars::numeric * p.percent),
  made AS (
    INSERT INTO budget_alerts (account_id, month, percent, at, mail_at)
    SELECT id, spent_month, percent, $3::timestamptz, CASE WHEN budget_mail AND $4 AND percent = most THEN $3::timestamptz END FROM passed
    ON CONFLICT (account_id, month, percent) DO NOTHING RETURNING account_id, percent),
  told AS (
    INSERT INTO webhook_deliveries (id, account_id, event, next_at)
    SELECT 'msg_' || replace(gen_random_uuid()::text, '-', ''), id, json_build_object('type', 'budget.alert',
        'timestamp', to_char($3::timestamptz AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
        'data', json_build_object('account_id', id, 'month', to_char(spent_month, 'YYYY-MM'), 'percent', made.percent,
          'spent_usd', spent_picodollars::numeric / 1e12, 'budget_usd', budget_picodollars::numeric / 1e12)), $3::timestamptz
    FROM made JOIN passed ON passed.id = made.account_id AND passed.percent = made.percent AND passed.percent = most
    WHERE budget_webhook AND EXISTS (SELECT 1 FROM webhooks w WHERE w.account_id = id))
  SELECT account_id, percent FROM made`;
