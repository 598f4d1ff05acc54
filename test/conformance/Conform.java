import com.seamless.cashregister.externalclientservice.*;
import com.seamless.ers.interfaces.external.*;
import java.math.BigDecimal;
import java.net.HttpURLConnection;
import java.net.URL;
import javax.xml.namespace.QName;

/**
 * A sale through JAX-WS, with the classes that wsimport makes of the WSDL: their names are those that code written for
 * the provider has.
 *
 * <pre>java Conform WSDL-URL</pre>
 */
public class Conform {
    static int passed, failed;

    static void check(String what, Object want, Object got) {
        if (want.equals(got)) {
            passed++;
            return;
        }
        failed++;
        System.out.printf("FAIL %s: want %s, got %s%n", what, want, got);
    }

    static void post(URL url) throws Exception {
        HttpURLConnection to = (HttpURLConnection) url.openConnection();
        to.setRequestMethod("POST");
        to.setDoOutput(true);
        to.getOutputStream().close();
        check("POST " + url.getPath(), 200, to.getResponseCode());
    }

    static ClientContext context(String type, String id, String user) {
        PrincipalId who = new PrincipalId();
        who.setType(type);
        who.setId(id);
        who.setUserId(user);
        ClientContext context = new ClientContext();
        context.setChannel("WS");
        context.setClientRequestTimeout(0);
        context.setInitiatorPrincipalId(who);
        context.setPassword("demo-secret");
        return context;
    }

    static Invoice invoice(String value) {
        Amount amount = new Amount();
        amount.setCurrency("SEK");
        amount.setValue(new BigDecimal(value));
        PaymentInvoiceRow row = new PaymentInvoiceRow();
        row.setItemDescription("Kaffe & <bröd>");
        row.setItemQuantity(BigDecimal.ONE);
        row.setItemTotalAmount(amount);
        Invoice invoice = new Invoice();
        invoice.setPaymentMode(PaymentMode.IMMEDIATE_DEBIT);
        invoice.setAcknowledgmentMode(AcknowledgmentMode.NO_ACKNOWLEDGMENT);
        invoice.setTitle("Kaffe & <bröd>");
        invoice.setTotalAmount(amount);
        invoice.setInvoiceRows(new Invoice.InvoiceRows());
        invoice.getInvoiceRows().getInvoiceRow().add(row);
        return invoice;
    }

    public static void main(String[] args) throws Exception {
        URL wsdl = new URL(args[0]);
        ERSWSExternalClientServiceImplService service = new ERSWSExternalClientServiceImplService(wsdl,
                new QName("http://externalclientservice.cashregister.seamless.com/", "ERSWSExternalClientServiceImplService"));
        ERSWSExternalClientService seqr = service.getERSWSExternalClientServiceImplPort();
        ClientContext shop = context("TERMINALID", "demo-terminal", null);

        ErswsSendInvoiceResponse sent = seqr.sendInvoice(shop, invoice("149.50"), null);
        check("sendInvoice", 0, sent.getResultCode());
        ErswsPaymentStatusResponse issued = seqr.getPaymentStatus(shop, sent.getInvoiceReference(), 0);
        check("before the payment", InvoiceStatus.ISSUED, issued.getStatus());
        check("no tokens", 0, issued.getCustomerTokens().getToken().size());
        post(new URL(wsdl, "/wallet/" + sent.getInvoiceReference() + "/pay"));
        ErswsPaymentStatusResponse paid = seqr.getPaymentStatus(shop, sent.getInvoiceReference(), issued.getVersion());
        check("after the payment", InvoiceStatus.PAID, paid.getStatus());
        check("its amount", new BigDecimal("149.50"), paid.getReceipt().getInvoice().getTotalAmount().getValue());
        check("its row", "Kaffe & <bröd>", paid.getReceipt().getInvoice().getInvoiceRows().getInvoiceRow().get(0).getItemDescription());
        check("submitPaymentReceipt", 0, seqr.submitPaymentReceipt(shop, paid.getErsReference(), new ReceiptDocument()).getResultCode());
        check("refundPayment", 0, seqr.refundPayment(shop, paid.getErsReference(), invoice("149.50")).getResultCode());

        Parameter terminal = new Parameter();
        terminal.setKey("TERMINALID");
        terminal.setValue("demo-terminal");
        ParameterMap parameters = new ParameterMap();
        parameters.setParameter(new MapArray());
        parameters.getParameter().getEntry().add(terminal);
        ClientContext reseller = context("RESELLERUSER", "demo-reseller", "9900");
        check("markTransactionPeriod", 0, seqr.markTransactionPeriod(reseller, parameters).getResultCode());
        shop.setPassword("wrong");
        check("a wrong password", 20, seqr.sendInvoice(shop, invoice("1"), null).getResultCode());
        System.out.printf("%d passed, %d failed%n", passed, failed);
        System.exit(failed == 0 ? 0 : 1);
    }
}
