// Buying credit: a port, and Stripe behind it. Its library is loaded when it is configured, and never otherwise.
import type { Stripe } from 'stripe';

export interface Checkout {
  accountId: string;
  email: string;
  amountCents: number;
  /** Where the provider's page leads back to. */
  backUrl: string;
}

/** A payment that has arrived. */
export interface Payment {
  /** The provider's, by which it counts once. */
  paymentId: string;
  accountId: string;
  amountPicodollars: bigint;
  note: string;
}

export interface Payments {
  /** The address of the provider's page. */
  checkout(checkout: Checkout): Promise<string>;
  /** What the provider told; null when it is nothing about money. Throws PaymentRefused when it isn't signed by the provider. */
  received(body: Buffer, headers: Readonly<Record<string, string | string[] | undefined>>): Payment | null;
}

/** What came is not the provider's. */
export class PaymentRefused extends Error {
  override readonly name = 'PaymentRefused';
}

const picodollarsPerCent = 10_000_000_000n;

/** `host` is for tests: where a stand-in for Stripe's API listens. */
export async function createStripePayments(
  { secretKey, webhookSecret }: { secretKey: string; webhookSecret: string },
  host?: { host: string; port: number; protocol: 'http' },
): Promise<Payments> {
  const { Stripe: StripeClient } = await import('stripe');
  const stripe = new StripeClient(secretKey, { maxNetworkRetries: 2, telemetry: false, ...host });
  return {
    async checkout({ accountId, email, amountCents, backUrl }) {
      const session = await stripe.checkout.sessions.create({
        mode: 'payment',
        line_items: [
          {
            quantity: 1,
            price_data: { currency: 'usd', unit_amount: amountCents, product_data: { name: 'Vectorium credit' } },
          },
        ],
        customer_email: email,
        client_reference_id: accountId,
        success_url: backUrl,
        cancel_url: backUrl,
      });
      if (session.url === null) throw new Error('Stripe gave no address for the checkout');
      return session.url;
    },

    received(body, headers) {
      let event: Stripe.Event;
      try {
        event = stripe.webhooks.constructEvent(body, String(headers['stripe-signature']), webhookSecret);
      } catch (error) {
        throw new PaymentRefused('The signature is not Stripe’s', { cause: error });
      }
      if (event.type !== 'checkout.session.completed' && event.type !== 'checkout.session.async_payment_succeeded')
        return null;
      const {
        id,
        payment_status: status,
        client_reference_id: accountId,
        amount_total: cents,
        currency,
      } = event.data.object;
      // A payment that takes days is told again when it has arrived.
      if (status !== 'paid' || accountId === null || cents === null || currency !== 'usd') return null;
      return {
        paymentId: `stripe/${id}`,
        accountId,
        amountPicodollars: BigInt(cents) * picodollarsPerCent,
        note: `Stripe ${id}`,
      };
    },
  };
}
