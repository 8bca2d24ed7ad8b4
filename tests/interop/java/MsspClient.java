import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigInteger;
import java.net.URI;
import java.net.URL;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import javax.xml.XMLConstants;
import javax.xml.datatype.DatatypeFactory;
import javax.xml.datatype.XMLGregorianCalendar;
import javax.xml.namespace.QName;
import javax.xml.soap.Detail;
import javax.xml.soap.SOAPBody;
import javax.xml.soap.SOAPElement;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import javax.xml.transform.stream.StreamSource;
import javax.xml.validation.Schema;
import javax.xml.validation.SchemaFactory;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.handler.Handler;
import javax.xml.ws.handler.MessageContext;
import javax.xml.ws.handler.soap.SOAPHandler;
import javax.xml.ws.handler.soap.SOAPMessageContext;
import javax.xml.ws.soap.SOAPFaultException;
import org.etsi.uri.ts102204.etsi204_kiuru.MSSSignatureService;
import org.etsi.uri.ts102204.v1_1.AlgorithmsType;
import org.etsi.uri.ts102204.v1_1.CertificatesType;
import org.etsi.uri.ts102204.v1_1.DataType;
import org.etsi.uri.ts102204.v1_1.MSSHandshakeReqType;
import org.etsi.uri.ts102204.v1_1.MSSHandshakeRespType;
import org.etsi.uri.ts102204.v1_1.MSSProfileReqType;
import org.etsi.uri.ts102204.v1_1.MSSProfileRespType;
import org.etsi.uri.ts102204.v1_1.MSSReceiptReqType;
import org.etsi.uri.ts102204.v1_1.MSSReceiptRespType;
import org.etsi.uri.ts102204.v1_1.MSSRegistrationReqType;
import org.etsi.uri.ts102204.v1_1.MSSSignatureReqType;
import org.etsi.uri.ts102204.v1_1.MSSSignatureRespType;
import org.etsi.uri.ts102204.v1_1.MSSStatusReqType;
import org.etsi.uri.ts102204.v1_1.MSSStatusRespType;
import org.etsi.uri.ts102204.v1_1.MeshMemberType;
import org.etsi.uri.ts102204.v1_1.MessageAbstractType;
import org.etsi.uri.ts102204.v1_1.MessagingModeType;
import org.etsi.uri.ts102204.v1_1.MobileUserType;
import org.etsi.uri.ts102204.v1_1.MssURIType;
import org.etsi.uri.ts102204.v1_1.RootCAsType;
import org.etsi.uri.ts102204.v1_1.SecureMethodsType;
import org.etsi.uri.ts102204.v1_1.SignatureType;
import org.etsi.uri.ts102204.v1_1.StatusType;
import org.xml.sax.SAXException;

/**
 * Drives the MSSP with the reference implementation of JAX-WS, through classes that wsimport has made from the WSDL that
 * the MSSP serves: all six operations, synchronous and asynchronous, faults, chunked bodies and Expect: 100-continue.
 *
 * <p>Every answer is validated by Xerces against the schema that is served, as the type that the WSDL gives the part.
 *
 * <p>Arguments: the MSSP's URL (as MIDSIM_MSSP_URL has it), MSISDN of a user who signs, AP_ID, AP_PWD. Exit 0 if all of it
 * was as TS 102 204 has it.
 */
public final class MsspClient {
    private static final String MSS = "http://uri.etsi.org/TS102204/v1.1.2#";
    private static final String WSDL = "http://uri.etsi.org/TS102204/etsi204-kiuru.wsdl";
    private static final String PROFILE = "http://uri.gsma.com/mobileconnect/LoA3";
    private static final int PATIENCE_SECONDS = 60;
    /** Smaller than any envelope. */
    private static final Integer CHUNK = 256;

    private final MSSSignatureService service;
    private final String url;
    private final String msisdn;
    private final String apId;
    private final String apPwd;
    private final Judge judge;
    private final String run = Long.toHexString(System.nanoTime());
    private final AtomicInteger next = new AtomicInteger();
    /** The endpoint is left as the WSDL says, or an operation's own. */
    private boolean ownPaths;
    private boolean chunked;
    private boolean expects;

    private MsspClient(String[] args) throws Exception {
        url = args[0];
        msisdn = args[1];
        apId = args[2];
        apPwd = args[3];
        service = new MSSSignatureService(URI.create(url + "?wsdl").toURL());
        judge = new Judge(URI.create(url + "?xsd=1").toURL());
    }

    /** Holds each answer against the schema, and the shape that a JAX-WS client wants. */
    private static final class Judge implements SOAPHandler<SOAPMessageContext> {
        private final Schema schema;
        private int answers;

        Judge(URL location) throws Exception {
            SchemaFactory factory = SchemaFactory.newInstance(XMLConstants.W3C_XML_SCHEMA_NS_URI);
            factory.setProperty(XMLConstants.ACCESS_EXTERNAL_SCHEMA, "http");
            factory.setProperty(XMLConstants.ACCESS_EXTERNAL_DTD, "");
            schema = factory.newSchema(location);
        }

        @Override
        public boolean handleMessage(SOAPMessageContext context) {
            if (!(Boolean) context.get(MessageContext.MESSAGE_OUTBOUND_PROPERTY)) {
                try {
                    validate(context.getMessage().getSOAPBody());
                } catch (Exception e) {
                    throw new IllegalStateException("the answer is not valid: " + e, e);
                }
            }
            return true;
        }

        private void validate(SOAPBody body) throws Exception {
            SOAPElement wrapper = only(body);
            check(WSDL.equals(wrapper.getNamespaceURI()), "the wrapper is in " + wrapper.getNamespaceURI());
            check(wrapper.getLocalName().endsWith("Response"), "the wrapper is " + wrapper.getLocalName());
            SOAPElement part = only(wrapper);
            check(part.getNamespaceURI() == null, "the part is in " + part.getNamespaceURI());
            SOAPElement typed = (SOAPElement) part.cloneNode(true);
            typed.addNamespaceDeclaration("judged", MSS);
            typed.setAttributeNS(
                    XMLConstants.W3C_XML_SCHEMA_INSTANCE_NS_URI, "xsi:type", "judged:" + part.getLocalName() + "Type");
            judge(typed);
            answers++;
            // A judge who cannot say no is none.
            typed.removeAttribute("MajorVersion");
            try {
                judge(typed);
            } catch (SAXException e) {
                return;
            }
            throw new Failure("a message without MajorVersion passes as valid");
        }

        /** Written and read again: what is validated are octets, and this part alone. */
        private void judge(SOAPElement part) throws Exception {
            StringWriter text = new StringWriter();
            TransformerFactory.newInstance().newTransformer().transform(new DOMSource(part), new StreamResult(text));
            schema.newValidator().validate(new StreamSource(new StringReader(text.toString())));
        }

        private static SOAPElement only(SOAPElement parent) {
            List<SOAPElement> below = new ArrayList<>();
            for (Iterator<?> all = parent.getChildElements(); all.hasNext(); ) {
                if (all.next() instanceof SOAPElement element) {
                    below.add(element);
                }
            }
            check(below.size() == 1, parent.getLocalName() + " holds " + below.size() + " elements");
            return below.get(0);
        }

        @Override
        public boolean handleFault(SOAPMessageContext context) {
            return true;
        }

        @Override
        public void close(MessageContext context) {}

        @Override
        public Set<QName> getHeaders() {
            return Set.of();
        }
    }

    private static final class Failure extends RuntimeException {
        Failure(String message) {
            super(message);
        }
    }

    private static void check(boolean condition, String message) {
        if (!condition) {
            throw new Failure(message);
        }
    }

    @SuppressWarnings("rawtypes")
    private <P> P port(P port, String operation) {
        BindingProvider provider = (BindingProvider) port;
        List<Handler> handlers = new ArrayList<>(provider.getBinding().getHandlerChain());
        handlers.add(judge);
        provider.getBinding().setHandlerChain(handlers);
        Map<String, Object> context = provider.getRequestContext();
        if (ownPaths) {
            String address = url + "/services/" + operation + "Port";
            context.put(BindingProvider.ENDPOINT_ADDRESS_PROPERTY, address);
        } else {
            check(url.equals(context.get(BindingProvider.ENDPOINT_ADDRESS_PROPERTY)), "the WSDL leads elsewhere");
        }
        if (chunked) {
            context.put("com.sun.xml.ws.transport.http.client.streaming.chunk.size", CHUNK);
        }
        if (expects) {
            context.put(MessageContext.HTTP_REQUEST_HEADERS, Map.of("Expect", List.of("100-continue")));
        }
        return port;
    }

    private <M extends MessageAbstractType> M head(M message) {
        MessageAbstractType.APInfo ap = new MessageAbstractType.APInfo();
        ap.setAPID(apId);
        ap.setAPPWD(apPwd);
        ap.setAPTransID("J" + run + "-" + next.incrementAndGet());
        ap.setInstant(now());
        MessageAbstractType.MSSPInfo mssp = new MessageAbstractType.MSSPInfo();
        mssp.setMSSPID(new MeshMemberType());
        message.setMajorVersion(BigInteger.ONE);
        message.setMinorVersion(BigInteger.ONE);
        message.setAPInfo(ap);
        message.setMSSPInfo(mssp);
        return message;
    }

    private static XMLGregorianCalendar now() {
        try {
            return DatatypeFactory.newInstance()
                    .newXMLGregorianCalendar(Instant.now().truncatedTo(ChronoUnit.MILLIS).toString());
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private MobileUserType user(String number) {
        MobileUserType user = new MobileUserType();
        user.setMSISDN(number);
        return user;
    }

    private static DataType data(String text) {
        DataType data = new DataType();
        data.setValue(text);
        data.setMimeType("text/plain");
        data.setEncoding("UTF-8");
        return data;
    }

    private MSSSignatureReqType request(MessagingModeType mode, String number) {
        MSSSignatureReqType request = head(new MSSSignatureReqType());
        request.setMessagingMode(mode);
        request.setTimeOut(BigInteger.valueOf(PATIENCE_SECONDS));
        request.setMobileUser(user(number));
        request.setDataToBeSigned(data("Pay 10 € to Zoë & Co <now>?"));
        MssURIType profile = new MssURIType();
        profile.setMssURI(PROFILE);
        request.setSignatureProfile(profile);
        return request;
    }

    private MSSSignatureRespType sign(MessagingModeType mode, String number) {
        MSSSignatureReqType request = request(mode, number);
        MSSSignatureRespType response = port(service.getMSSSignaturePort(), "MSS_Signature").mssSignature(request);
        mirrors(request, response);
        check(response.getMSSPTransID() != null, "there is no MSSP_TransID");
        check(number.equals(response.getMobileUser().getMSISDN()), "the answer is about another MSISDN");
        check(PROFILE.equals(response.getSignatureProfile().getMssURI()), "the answer has another SignatureProfile");
        return response;
    }

    /** What Java clients take for granted: AP_Info is theirs, MSSP_Info names the MSSP and the time. */
    private static void mirrors(MessageAbstractType request, MessageAbstractType response) {
        MessageAbstractType.APInfo sent = request.getAPInfo();
        MessageAbstractType.APInfo got = response.getAPInfo();
        check(sent.getAPID().equals(got.getAPID()), "the answer has another AP_ID");
        check(sent.getAPTransID().equals(got.getAPTransID()), "the answer has another AP_TransID");
        check(sent.getAPPWD().equals(got.getAPPWD()), "the answer has another AP_PWD");
        check(sent.getInstant().equals(got.getInstant()), "the answer has another AP Instant");
        check(response.getMSSPInfo().getMSSPID().getURI() != null, "the answer does not say which MSSP it is from");
        check(response.getMSSPInfo().getInstant() != null, "the answer does not say when it was made");
        check(request.getMajorVersion().equals(response.getMajorVersion()), "the answer has another MajorVersion");
        check(request.getMinorVersion().equals(response.getMinorVersion()), "the answer has another MinorVersion");
    }

    private static int code(StatusType status) {
        return status.getStatusCode().getValue().intValueExact();
    }

    private static String signed(StatusType status, SignatureType signature) {
        check(code(status) == 502, "the signature ended with " + code(status) + ", expected 502");
        byte[] mac = signature.getBase64Signature();
        check(mac.length == 8, "a signature of " + mac.length + " octets, expected a MAC of 8");
        return HexFormat.of().formatHex(mac);
    }

    private static String fault(int number, String reason, Supplier<?> call) {
        try {
            call.get();
        } catch (SOAPFaultException e) {
            List<String> numbers = new ArrayList<>();
            for (Iterator<?> all = e.getFault().getFaultSubcodes(); all.hasNext(); ) {
                QName name = (QName) all.next();
                check(MSS.equals(name.getNamespaceURI()), "the subcode is in " + name.getNamespaceURI());
                numbers.add(name.getLocalPart());
            }
            check(numbers.equals(List.of("_" + number)), "the fault has subcodes " + numbers + ", expected _" + number);
            check(reason.equals(e.getFault().getFaultString()), "the reason is " + e.getFault().getFaultString());
            Detail detail = e.getFault().getDetail();
            check(detail != null && detail.getDetailEntries().hasNext(), "the fault has no detail");
            return numbers.get(0) + " " + detail.getTextContent();
        }
        throw new Failure("expected fault " + number);
    }

    private String synch() {
        MSSSignatureRespType response = sign(MessagingModeType.SYNCH, msisdn);
        return response.getMSSPTransID() + " 502 " + signed(response.getStatus(), response.getMSSSignature());
    }

    private MSSStatusRespType query(String trans) {
        MSSStatusReqType request = head(new MSSStatusReqType());
        request.setMSSPTransID(trans);
        MSSStatusRespType response = port(service.getMSSStatusQueryPort(), "MSS_StatusQuery").mssStatusQuery(request);
        mirrors(request, response);
        return response;
    }

    private MSSStatusRespType result(String trans) {
        long end = System.nanoTime() + PATIENCE_SECONDS * 1_000_000_000L;
        while (System.nanoTime() < end) {
            MSSStatusRespType status = query(trans);
            if (code(status.getStatus()) != 504) {
                return status;
            }
            check(status.getMSSSignature() == null, "504 with a signature");
            pause();
        }
        throw new Failure("still outstanding after " + PATIENCE_SECONDS + " seconds");
    }

    private static void pause() {
        try {
            Thread.sleep(200);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private String asynch() {
        MSSSignatureRespType first = sign(MessagingModeType.ASYNCH_CLIENT_SERVER, msisdn);
        check(code(first.getStatus()) == 100 && first.getMSSSignature() == null, "the first answer is not 100");
        MSSStatusRespType last = result(first.getMSSPTransID());
        check(msisdn.equals(last.getMobileUser().getMSISDN()), "the status is about another MSISDN");
        return first.getMSSPTransID() + " 100, 502 " + signed(last.getStatus(), last.getMSSSignature());
    }

    private String receipt() {
        String trans = sign(MessagingModeType.SYNCH, msisdn).getMSSPTransID();
        Supplier<MSSReceiptRespType> call = () -> {
            MSSReceiptReqType request = head(new MSSReceiptReqType());
            request.setMSSPTransID(trans);
            request.setMobileUser(user(msisdn));
            request.setMessage(data("Welcome"));
            MSSReceiptRespType response = port(service.getMSSReceiptPort(), "MSS_Receipt").mssReceipt(request);
            mirrors(request, response);
            return response;
        };
        check(code(call.get().getStatus()) == 100, "the receipt was not accepted");
        return "100, again: " + fault(101, "WRONG_PARAM", call);
    }

    private String registration() {
        MSSRegistrationReqType request = head(new MSSRegistrationReqType());
        request.setMobileUser(user(msisdn));
        var response = port(service.getMSSRegistrationPort(), "MSS_Registration").mssRegistration(request);
        mirrors(request, response);
        check(code(response.getStatus()) == 408, "the registration was not done");
        return "408";
    }

    private String profileQuery() {
        MSSProfileReqType request = head(new MSSProfileReqType());
        request.setMobileUser(user(msisdn));
        MSSProfileRespType response = port(service.getMSSProfileQueryPort(), "MSS_ProfileQuery").mssProfileQuery(request);
        mirrors(request, response);
        List<String> uris = response.getSignatureProfile().stream().map(MssURIType::getMssURI).toList();
        check(code(response.getStatus()) == 100 && uris.contains(PROFILE), PROFILE + " is not among " + uris);
        return "100, " + uris.size() + " profiles";
    }

    private String handshake() {
        MSSHandshakeReqType request = head(new MSSHandshakeReqType());
        SecureMethodsType methods = new SecureMethodsType();
        methods.setMSSSignature(true);
        request.setSecureMethods(methods);
        request.setCertificates(new CertificatesType());
        request.setRootCAs(new RootCAsType());
        request.setSignatureAlgList(new AlgorithmsType());
        MSSHandshakeRespType response = port(service.getMSSHandshakePort(), "MSS_Handshake").mssHandshake(request);
        mirrors(request, response);
        check(!response.getSecureMethods().isMSSSignature(), "the MSSP wants signed messages");
        check(response.getMSSPTransID() != null, "there is no MSSP_TransID");
        return "nothing is to be signed";
    }

    private String users() {
        String cancelled = fault(401, "USER_CANCEL", () -> sign(MessagingModeType.SYNCH, "+447700900004"));
        String later = sign(MessagingModeType.ASYNCH_CLIENT_SERVER, "+447700900006").getMSSPTransID();
        return cancelled + ", " + fault(402, "PIN_NR_BLOCKED", () -> result(later));
    }

    private String nobody() {
        return fault(105, "UNKNOWN_CLIENT", () -> sign(MessagingModeType.SYNCH, "+15005550006"));
    }

    private void step(String name, Supplier<String> step) {
        try {
            System.out.println(name + ": " + step.get());
        } catch (RuntimeException e) {
            throw new IllegalStateException(name + ": " + e.getMessage(), e);
        }
    }

    private void run() {
        step("MSS_Signature synch", this::synch);
        step("MSS_Signature asynchClientServer, MSS_StatusQuery", this::asynch);
        step("MSS_Receipt", this::receipt);
        step("MSS_Registration", this::registration);
        step("MSS_ProfileQuery", this::profileQuery);
        step("MSS_Handshake", this::handshake);
        step("users who do not sign", this::users);
        step("nobody", this::nobody);
        ownPaths = true;
        step("a URL for each operation", this::asynch);
        chunked = true;
        step("chunked", this::asynch);
        chunked = false;
        expects = true;
        step("Expect: 100-continue", this::asynch);
        System.out.println("validated: " + judge.answers + " answers");
    }

    public static void main(String[] args) throws Exception {
        if (args.length != 4) {
            System.err.println("usage: MsspClient URL MSISDN AP_ID AP_PWD");
            System.exit(2);
        }
        new MsspClient(args).run();
    }
}
