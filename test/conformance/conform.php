<?php
// The certification procedures and the refusals through PHP's SoapClient, which is told nothing but where
// the WSDL is.
//
//     php conform.php WSDL-URL
//
// Buyers pay and time passes over the sandbox's own addresses. The last line counts the checks.

declare(strict_types=1);

const TERMINAL = ['id' => 'demo-terminal', 'type' => 'TERMINALID'];
const RESELLER = ['id' => 'demo-reseller', 'type' => 'RESELLERUSER', 'userId' => '9900'];
const PASSWORD = 'demo-secret';
const TITLE = "Kaffe & <bröd> \u{1F35E}";

if ($argc !== 2) {
    fwrite(STDERR, "usage: php conform.php WSDL-URL\n");
    exit(2);
}
$wsdl = $argv[1];
$base = preg_replace('#^(https?://[^/]+).*#', '$1', $wsdl);
$passed = $failed = 0;

function check(string $what, mixed $want, mixed $got): void
{
    global $passed, $failed;
    if ($want === $got) {
        $passed++;
        return;
    }
    $failed++;
    printf("FAIL %s: want %s, got %s\n", $what, json_encode($want), json_encode($got));
}

function matches(string $what, string $pattern, mixed $got): void
{
    check("$what matches $pattern", 1, preg_match($pattern, (string) $got));
}

/** An address of the sandbox that is not SOAP: the buyer, the clock, the ledger, the faults. */
function side(string $method, string $path, string $body = ''): string
{
    global $base;
    $answer = file_get_contents($base . $path, false, stream_context_create(['http' => [
        'method' => $method, 'content' => $body, 'header' => 'Content-Type: application/json', 'follow_location' => 0,
    ]]));
    if ($answer === false) {
        throw new RuntimeException("$method $path failed");
    }
    return $answer;
}

function buyer(string $does, string $reference): void
{
    side('POST', "/wallet/$reference/$does");
}

function pass(int $seconds): void
{
    side('POST', "/clock/advance?d={$seconds}s");
}

function client(string $wsdl): SoapClient
{
    return new SoapClient($wsdl, [
        'cache_wsdl' => WSDL_CACHE_NONE, 'exceptions' => true, 'features' => SOAP_SINGLE_ELEMENT_ARRAYS,
    ]);
}

/** Calls an operation and checks the resultCode. */
function call(int $code, string $operation, array $who, array $arguments = [], ?string $password = PASSWORD): object
{
    global $client;
    $context = [
        'channel' => 'WS', 'clientId' => 'Conformance AB', 'clientReference' => 'conform.php 1',
        'clientRequestTimeout' => 0, 'initiatorPrincipalId' => $who, 'password' => $password,
    ];
    $answer = $client->__soapCall($operation, [['context' => $context] + $arguments])->return;
    check("$operation " . ($answer->resultDescription ?? ''), $code, $answer->resultCode);
    return $answer;
}

function sek(string $value): array
{
    return ['currency' => 'SEK', 'value' => $value];
}

function invoice(string $total, array $more = []): array
{
    return $more + [
        'paymentMode' => 'IMMEDIATE_DEBIT', 'acknowledgmentMode' => 'NO_ACKNOWLEDGMENT', 'title' => TITLE,
        'clientInvoiceId' => 'php-1', 'cashierId' => 'Åsa', 'totalAmount' => sek($total),
        'invoiceRows' => ['invoiceRow' => [[
            'itemDescription' => TITLE, 'itemQuantity' => '2', 'itemTaxRate' => '12', 'itemTotalAmount' => sek($total),
        ]]],
    ];
}

function issue(string $total, array $who = TERMINAL, array $more = [], ?string $password = PASSWORD): string
{
    return call(0, 'sendInvoice', $who, ['invoice' => invoice($total, $more)], $password)->invoiceReference;
}

function status(string $reference, array $who = TERMINAL, ?string $password = PASSWORD, int $version = 0): object
{
    return call(0, 'getPaymentStatus', $who, ['invoiceReference' => $reference, 'invoiceVersion' => $version], $password);
}

function paid(string $total, array $who = TERMINAL, ?string $password = PASSWORD): string
{
    $reference = issue($total, $who, [], $password);
    buyer('pay', $reference);
    return status($reference, $who, $password)->ersReference;
}

function parameters(array $values): array
{
    $entries = [];
    foreach ($values as $key => $value) {
        $entries[] = ['key' => $key, 'value' => $value];
    }
    return ['parameters' => ['parameter' => ['entry' => $entries]]];
}

function refund(int $code, string $payment, string $amount, array $who = TERMINAL, ?string $password = PASSWORD): object
{
    return call($code, 'refundPayment', $who, ['ersReference' => $payment, 'invoice' => invoice($amount)], $password);
}

/** The texts of all elements of that name; Debian's PHP reads XML only with one more package. */
function texts(string $xml, string $element): array
{
    preg_match_all("#<$element>([^<]*)</$element>#", $xml, $found);
    return array_map(html_entity_decode(...), $found[1]);
}

/** A report of a period that is ready. */
function report(string $id, string $root, string $period, array $more = []): string
{
    $arguments = ['reportId' => "Reconciliation/$id.xml"] + parameters(['transactionPeriodId' => $period] + $more);
    $report = call(0, 'executeReport', RESELLER, $arguments)->report;
    check("title of $id", "{$id}_$period.xml", $report->title);
    check("mimeType of $id", 'text/html', $report->mimeType);
    check("both forms of $id", $report->contentString, $report->content);
    matches("root of $id", "#^<\\?xml [^>]*>\\s*<$root>.*</$root>\\s*$#s", $report->content);
    check("period in $id", [$period], texts($report->content, 'TransactionPeriodId'));
    return $report->content;
}

function mark(array $more = []): string
{
    $period = call(0, 'markTransactionPeriod', RESELLER, $more ? parameters($more) : [])->transactionPeriodId;
    matches('transactionPeriodId', '/^\d{25}$/', $period);
    return $period;
}

function webshop(): void
{
    mark();

    // 1 sendInvoice
    $sent = call(0, 'sendInvoice', TERMINAL, ['invoice' => invoice('149.50')]);
    $reference = $sent->invoiceReference;
    matches('invoiceReference', '/^\d{13}$/', $reference);
    check('invoiceQRCode', "HTTP://SEQR.SE/R$reference", $sent->invoiceQRCode);

    // 2 getPaymentStatus
    $issued = status($reference);
    check('before the scan', 'ISSUED', $issued->status);
    check('no ersReference before PAID', false, isset($issued->ersReference));
    buyer('scan', $reference);
    buyer('pay', $reference);
    $paid = status($reference, version: $issued->version);
    check('after the payment', 'PAID', $paid->status);
    check('the version has risen', true, $paid->version > $issued->version);
    matches('ersReference', '/^\d{25}$/', $paid->ersReference);
    check('paymentReference', $paid->ersReference, $paid->receipt->paymentReference);
    check('the amount comes back', '149.50', $paid->receipt->invoice->totalAmount->value);
    check('the title comes back', TITLE, $paid->receipt->invoice->title);
    $row = $paid->receipt->invoice->invoiceRows->invoiceRow[0];
    check('the row comes back', [TITLE, '149.50'], [$row->itemDescription, $row->itemTotalAmount->value]);
    pass(30);
    check('what was fetched stays paid', 'PAID', status($reference)->status);
    $again = issue('10');
    pass(30);
    check('unpaid after 30 seconds', 'ISSUED', status($again)->status);
    $forgotten = issue('11');
    buyer('pay', $forgotten);
    pass(30);
    check('paid, and not fetched for 30 seconds', 'CANCELED', status($forgotten)->status);

    // 3 submitPaymentReceipt
    $payment = ['ersReference' => $paid->ersReference];
    $html = '<html><body>Tack för köpet!</body></html>';
    call(0, 'submitPaymentReceipt', TERMINAL, $payment);
    call(0, 'submitPaymentReceipt', TERMINAL, $payment + ['receiptDocument' => [
        'mimeType' => 'Base64', 'receiptData' => $html, 'receiptType' => 'PAYMENT_RECEIPT',
    ]]);
    $receipts = array_values(array_filter(json_decode(side('GET', '/ledger'))->receipts, fn ($r) => $r->invoiceReference === $reference));
    check('receipts', [0, strlen($html)], array_column($receipts, 'size'));
    check('the content arrives', hash('sha256', $html), $receipts[1]->sha256);

    // 4 cancelInvoice
    $canceled = issue('25');
    check('before canceling', 'ISSUED', status($canceled)->status);
    call(0, 'cancelInvoice', TERMINAL, ['invoiceReference' => $canceled]);
    check('after canceling', 'CANCELED', status($canceled)->status);

    // 5 refundPayment
    $payment = paid('100');
    $part = refund(0, $payment, '40.25')->ersReference;
    matches('the ersReference of a refund', '/^\d{25}$/', $part);
    check('is not the payment’s', true, $part !== $payment);
    refund(0, $payment, '59.75');

    // 6 markTransactionPeriod and executeReport
    $period = mark();
    $ask = ['reportId' => 'Reconciliation/Shop.xml'] + parameters(['transactionPeriodId' => $period]);
    call(2, 'executeReport', RESELLER, $ask);
    pass(5);
    $shop = report('Shop', 'ResellerTransactionSummary', $period);
    check('sales', [['2'], ['249.50000']], [texts($shop, 'SalesCount'), texts($shop, 'SalesTotal')]);
    $terminals = report('STD_RECON_002', 'TerminalTransactionSummary', $period);
    check('terminal', [['demo-terminal'], ['249.50000']], [texts($terminals, 'TerminalId'), texts($terminals, 'SalesTotal')]);
    $details = report('STD_RECON_003', 'TransactionDetails', $period);
    check('transactions', ['149.50000', '100.00000', '-40.25000', '-59.75000'], texts($details, 'SalesAmount'));
}

function pointOfSale(): void
{
    $secret = 'till-secret';
    $seqr = 'PHP' . time();
    $register = ['externalTerminalId' => "till-$seqr", 'password' => $secret, 'name' => 'Kassa 1'];
    $id = call(0, 'registerTerminal', RESELLER, $register)->terminalId;
    $till = ['id' => $id, 'type' => 'TERMINALID'];
    call(0, 'assignSeqrId', $till, ['seqrId' => $seqr], $secret);

    $first = issue('12', $till, [], $secret);
    $second = issue('80', $till, [], $secret);
    check('a newer invoice replaces the last', 'CANCELED', status($first, $till, $secret)->status);
    check('before the scan at the till', 'ISSUED', status($second, $till, $secret)->status);
    global $http_response_header, $base;
    file_get_contents("$base/Q$seqr", false, stream_context_create(['http' => ['follow_location' => 0]]));
    check('the static code leads to the live invoice', ["Location: /R$second"], array_values(preg_grep('/^Location:/i', $http_response_header)));
    buyer('pay', $second);
    $payment = status($second, $till, $secret)->ersReference;
    call(0, 'submitPaymentReceipt', $till, ['ersReference' => $payment], $secret);
    $third = issue('9', $till, [], $secret);
    call(0, 'cancelInvoice', $till, ['invoiceReference' => $third], $secret);
    refund(0, $payment, '80', $till, $secret);

    $period = mark(['TERMINALID' => $id]);
    call(2, 'executeReport', RESELLER, ['reportId' => 'Reconciliation/STD_RECON_006.xml'] + parameters(['TERMINALID' => $id, 'transactionPeriodId' => $period]));
    pass(5);
    $cashiers = report('STD_RECON_006', 'CashierTransactionSummary', $period, ['TERMINALID' => $id]);
    check('sales at the till', [['1'], ['80.00000']], [texts($cashiers, 'SalesCount'), texts($cashiers, 'SalesTotal')]);
    $details = report('STD_RECON_007', 'TransactionDetails', $period, ['TERMINALID' => $id]);
    check('transactions at the till', [[$id, $id, $id], ['Åsa', 'Åsa'], ['80.00000', '-80.00000']],
        [texts($details, 'TerminalId'), texts($details, 'CashierId'), texts($details, 'SalesAmount')]);
    call(0, 'unregisterTerminal', $till, [], $secret);
    call(29, 'sendInvoice', $till, ['invoice' => invoice('1')], $secret);
}

function reservationAndLoyalty(): void
{
    $reserved = issue('100', TERMINAL, ['paymentMode' => 'RESERVATION_REQUIRED', 'commitReservationTimeout' => 600]);
    call(96, 'commitReservation', TERMINAL, ['invoiceReference' => $reserved]);
    buyer('pay', $reserved);
    check('a reservation', 'RESERVED', status($reserved)->status);
    call(0, 'commitReservation', TERMINAL, ['amount' => sek('75.50'), 'invoiceReference' => $reserved]);
    $taken = status($reserved);
    check('a committed reservation', ['PAID', '75.50'], [$taken->status, $taken->receipt->invoice->totalAmount->value]);

    $loyal = issue('100', TERMINAL, ['acknowledgmentMode' => 'REQUIRE_ACKNOWLEDGMENT']);
    buyer('scan', $loyal);
    $asked = status($loyal);
    check('loyalty', 'PENDING_ISSUER_ACKNOWLEDGE', $asked->status);
    $token = $asked->customerTokens->token[0];
    check('an unanswered token', 0, $token->status);
    $token->status = 1;
    call(0, 'updateInvoice', TERMINAL, ['invoiceReference' => $loyal, 'invoice' => invoice('90'), 'tokens' => [$token]]);
    buyer('pay', $loyal);
    check('with the new total', '90.00', status($loyal)->receipt->invoice->totalAmount->value);
}

function refusals(): void
{
    global $client;
    $any = ['invoice' => invoice('1')];
    call(20, 'sendInvoice', TERMINAL, $any, 'wrong-secret');
    call(20, 'sendInvoice', TERMINAL, $any, null);
    call(29, 'sendInvoice', ['type' => 'TERMINALID'], $any);
    call(29, 'sendInvoice', ['id' => 'demo-terminal', 'type' => 'PERSON'], $any);
    call(29, 'sendInvoice', ['id' => 'nobody', 'type' => 'TERMINALID'], $any);
    call(37, 'markTransactionPeriod', ['id' => 'nobody', 'type' => 'RESELLERUSER', 'userId' => '9900']);
    call(37, 'markTransactionPeriod', ['id' => 'demo-reseller', 'type' => 'RESELLERUSER', 'userId' => '1']);
    call(20, 'sendInvoice', TERMINAL, $any, 'abc');
    $weak = ['externalTerminalId' => 'weak-php-' . time(), 'password' => 'abc', 'name' => 'Weak'];
    $till = ['id' => call(0, 'registerTerminal', RESELLER, $weak)->terminalId, 'type' => 'TERMINALID'];
    call(21, 'sendInvoice', $till, $any, 'abc');
    call(21, 'getPaymentStatus', $till, ['invoiceReference' => '1', 'invoiceVersion' => 0], 'abc');
    call(21, 'unregisterTerminal', $till, [], 'abc');

    call(49, 'sendInvoice', TERMINAL, ['invoice' => ['totalAmount' => sek('2')] + invoice('1')]);
    call(49, 'sendInvoice', TERMINAL, ['invoice' => invoice('0')]);
    call(64, 'sendInvoice', TERMINAL, ['invoice' => invoice('1', ['notificationUrl' => 'ftp://shop.example/paid'])]);
    call(53, 'assignSeqrId', TERMINAL, ['seqrId' => 'not one!']);
    foreach (['cancelInvoice' => [], 'getPaymentStatus' => ['invoiceVersion' => 0], 'commitReservation' => []] as $operation => $more) {
        call(54, $operation, TERMINAL, ['invoiceReference' => '4711'] + $more);
    }

    $confirming = issue('1');
    buyer('confirm', $confirming);
    call(51, 'cancelInvoice', TERMINAL, ['invoiceReference' => $confirming]);
    buyer('pay', $confirming);
    call(50, 'cancelInvoice', TERMINAL, ['invoiceReference' => $confirming]);
    $payment = status($confirming)->ersReference;
    $canceled = issue('1');
    call(0, 'cancelInvoice', TERMINAL, ['invoiceReference' => $canceled]);
    call(95, 'cancelInvoice', TERMINAL, ['invoiceReference' => $canceled]);
    call(96, 'commitReservation', TERMINAL, ['invoiceReference' => $canceled]);

    refund(23, '4711', '1');
    call(23, 'submitPaymentReceipt', TERMINAL, ['ersReference' => '4711']);
    call(49, 'refundPayment', TERMINAL, ['ersReference' => $payment, 'invoice' => ['totalAmount' => ['currency' => 'EUR', 'value' => '1']]]);
    refund(98, $payment, '1.01');
    refund(0, $payment, '1');
    refund(98, $payment, '0.01');
    call(91, 'requestTopup', TERMINAL);
    check('benchmarkingNop', 0, $client->benchmarkingNop([])->return->resultCode);

    side('PUT', '/faults', '{"benchmarkingNop":[{"kind":"fault","count":1}]}');
    try {
        $client->benchmarkingNop([]);
        check('a SOAP fault is thrown', true, false);
    } catch (SoapFault $fault) {
        check('a SOAP fault is thrown', 'internal error', $fault->getMessage());
    }
}

try {
    $client = client($wsdl);
    webshop();
    pointOfSale();
    reservationAndLoyalty();
    refusals();
    foreach (['/soap/merchant/cashregister-2?wsdl', '/extclientproxy/service/v2?singleWsdl'] as $address) {
        $client = client($base . $address);
        check($address, 'ISSUED', status(issue('1'))->status);
    }
} catch (Throwable $problem) {
    $failed++;
    echo 'FAIL ', $problem, "\n";
}
echo "$passed passed, $failed failed\n";
exit($failed > 0 ? 1 : 0);
