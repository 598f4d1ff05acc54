package checkout

import (
	"net/http"
	"slices"
	"strings"

	"golang.org/x/text/language"
)

// Language is one that pages are written in, by its ISO 639 code.
type Language string

// languageName is a language with its own name for itself.
type languageName struct {
	Code Language
	Name string
}

// languages are those that pages are written in. The first is that of buyers who ask for none of them.
var languages = []languageName{{"en", "English"}, {"sv", "Svenska"}, {"nb", "Norsk"}, {"da", "Dansk"}, {"fi", "Suomi"}, {"de", "Deutsch"}}

// matcher knows languages by their place, and Nynorsk, whose readers read Bokmål, after them.
var matcher = language.NewMatcher([]language.Tag{
	language.English, language.Swedish, language.MustParse("nb"), language.Danish, language.Finnish, language.German, language.MustParse("nn"),
})

// languageOf gives the language of a request: that of ?lang=, else the best of its Accept-Language.
func languageOf(r *http.Request) Language {
	if asked := Language(r.URL.Query().Get("lang")); indexOf(asked) >= 0 {
		return asked
	}
	_, i := language.MatchStrings(matcher, r.Header.Get("Accept-Language"))
	if i >= len(languages) {
		return "nb"
	}
	return languages[i].Code
}

// indexOf gives the place of a language in languages, -1 for any other.
func indexOf(l Language) int {
	return slices.IndexFunc(languages, func(known languageName) bool { return known.Code == l })
}

// text gives a text in a language. The pairs replace {name} by a value each.
func text(l Language, key string, pairs ...string) string {
	return strings.NewReplacer(pairs...).Replace(texts[key][max(indexOf(l), 0)])
}

// texts is every text that a buyer reads, in the order of languages. {shop}, {order}, {amount} and {time} are replaced.
var texts = map[string][6]string{
	"order": {"Order {order}", "Order {order}", "Ordre {order}", "Ordre {order}", "Tilaus {order}", "Bestellung {order}"},
	"total": {"Total", "Totalt", "Totalt", "I alt", "Yhteensä", "Summe"},

	"preparing": {"Preparing your payment", "Din betalning förbereds", "Betalingen forberedes", "Din betaling forberedes", "Maksua valmistellaan", "Ihre Zahlung wird vorbereitet"},
	"preparing.text": {
		"This takes a moment.", "Det tar ett ögonblick.", "Det tar et øyeblikk.", "Det tager et øjeblik.", "Tämä kestää hetken.", "Das dauert einen Moment."},
	"preparing.slow": {
		"It takes longer than usual. You can leave this page open, or come back later.",
		"Det tar längre tid än vanligt. Du kan låta sidan vara öppen eller komma tillbaka senare.",
		"Det tar lengre tid enn vanlig. Du kan la siden stå åpen eller komme tilbake senere.",
		"Det tager længere tid end normalt. Du kan lade siden stå åben eller komme tilbage senere.",
		"Tämä kestää tavallista kauemmin. Voit jättää sivun auki tai palata myöhemmin.",
		"Es dauert länger als üblich. Sie können diese Seite offen lassen oder später wiederkommen."},

	"scan": {"Scan the code to pay", "Skanna koden för att betala", "Skann koden for å betale", "Scan koden for at betale", "Maksa skannaamalla koodi", "Zum Bezahlen Code scannen"},
	"scan.text": {
		"Open SEQR on your phone, scan the code and confirm the payment.",
		"Öppna SEQR i mobilen, skanna koden och godkänn betalningen.",
		"Åpne SEQR på mobilen, skann koden og godkjenn betalingen.",
		"Åbn SEQR på mobilen, scan koden og godkend betalingen.",
		"Avaa SEQR puhelimessasi, skannaa koodi ja vahvista maksu.",
		"Öffnen Sie SEQR auf Ihrem Telefon, scannen Sie den Code und bestätigen Sie die Zahlung."},
	"phone":      {"Pay with SEQR", "Betala med SEQR", "Betal med SEQR", "Betal med SEQR", "Maksa SEQR-sovelluksella", "Mit SEQR bezahlen"},
	"phone.app":  {"Open SEQR", "Öppna SEQR", "Åpne SEQR", "Åbn SEQR", "Avaa SEQR", "SEQR öffnen"},
	"phone.text": {"Or scan this code with another phone.", "Eller skanna koden med en annan mobil.", "Eller skann koden med en annen mobil.", "Eller scan koden med en anden mobil.", "Tai skannaa koodi toisella puhelimella.", "Oder scannen Sie den Code mit einem anderen Telefon."},
	"qr":         {"QR code for paying {amount} with SEQR", "QR-kod för att betala {amount} med SEQR", "QR-kode for å betale {amount} med SEQR", "QR-kode til at betale {amount} med SEQR", "QR-koodi: maksa {amount} SEQR-sovelluksella", "QR-Code, um {amount} mit SEQR zu bezahlen"},
	"wallet":     {"Sandbox: pay in the test wallet", "Sandlåda: betala i testplånboken", "Sandkasse: betal i testlommeboken", "Sandkasse: betal i testtegnebogen", "Testiympäristö: maksa testilompakolla", "Sandbox: in der Test-Wallet bezahlen"},
	"left":       {"Time left: {time}", "Tid kvar: {time}", "Tid igjen: {time}", "Tid tilbage: {time}", "Aikaa jäljellä: {time}", "Verbleibende Zeit: {time}"},

	"checking": {"Checking your payment", "Vi kontrollerar din betalning", "Vi sjekker betalingen din", "Vi tjekker din betaling", "Maksuasi tarkistetaan", "Ihre Zahlung wird geprüft"},
	"checking.text": {
		"This page shows the result by itself in a moment. Do not pay again.",
		"Sidan visar snart resultatet av sig själv. Betala inte en gång till.",
		"Siden viser snart resultatet av seg selv. Ikke betal en gang til.",
		"Siden viser snart resultatet af sig selv. Betal ikke en gang til.",
		"Sivu näyttää tuloksen hetken kuluttua. Älä maksa uudelleen.",
		"Diese Seite zeigt das Ergebnis gleich von selbst. Bitte bezahlen Sie nicht noch einmal."},
	"confirm": {"Confirm in the app", "Godkänn i appen", "Godkjenn i appen", "Godkend i appen", "Vahvista sovelluksessa", "In der App bestätigen"},
	"confirm.text": {
		"The payment is being completed. This page shows the result by itself.",
		"Betalningen slutförs. Sidan visar resultatet av sig själv.",
		"Betalingen fullføres. Siden viser resultatet av seg selv.",
		"Betalingen gennemføres. Siden viser resultatet af sig selv.",
		"Maksua viimeistellään. Sivu näyttää tuloksen itsestään.",
		"Die Zahlung wird abgeschlossen. Diese Seite zeigt das Ergebnis von selbst."},
	"canceling": {"Canceling the payment", "Betalningen avbryts", "Betalingen avbrytes", "Betalingen annulleres", "Maksua perutaan", "Die Zahlung wird abgebrochen"},
	"canceling.text": {
		"We are waiting for the answer. If you have already paid, this page will say so.",
		"Vi väntar på svar. Har du redan betalat står det här.",
		"Vi venter på svar. Hvis du allerede har betalt, står det her.",
		"Vi venter på svar. Hvis du allerede har betalt, står det her.",
		"Odotamme vastausta. Jos olet jo maksanut, se näkyy tällä sivulla.",
		"Wir warten auf die Antwort. Wenn Sie schon bezahlt haben, steht es hier."},

	"paid":      {"Paid", "Betald", "Betalt", "Betalt", "Maksettu", "Bezahlt"},
	"paid.text": {"Thank you! You have paid {amount} to {shop}.", "Tack! Du har betalat {amount} till {shop}.", "Takk! Du har betalt {amount} til {shop}.", "Tak! Du har betalt {amount} til {shop}.", "Kiitos! Olet maksanut {amount}. Saaja: {shop}.", "Danke! Sie haben {amount} an {shop} bezahlt."},
	"refunding": {"{amount} is being paid back to you.", "{amount} betalas tillbaka till dig.", "{amount} betales tilbake til deg.", "{amount} betales tilbage til dig.", "Sinulle palautetaan {amount}.", "{amount} werden Ihnen zurückgezahlt."},
	"refund":    {"{amount} has been paid back to you.", "{amount} har betalats tillbaka till dig.", "{amount} er betalt tilbake til deg.", "{amount} er betalt tilbage til dig.", "Sinulle on palautettu {amount}.", "{amount} wurden Ihnen zurückgezahlt."},
	"refunded":  {"Paid back", "Återbetald", "Tilbakebetalt", "Tilbagebetalt", "Palautettu", "Zurückgezahlt"},
	"late":      {"Paid too late", "Betald för sent", "Betalt for sent", "Betalt for sent", "Maksettu liian myöhään", "Zu spät bezahlt"},
	"late.text": {
		"Your payment came when the order could not be paid any more. You get all of it back.",
		"Din betalning kom när ordern inte längre kunde betalas. Du får tillbaka hela beloppet.",
		"Betalingen kom etter at ordren ikke lenger kunne betales. Du får hele beløpet tilbake.",
		"Din betaling kom, da ordren ikke længere kunne betales. Du får hele beløbet tilbage.",
		"Maksusi saapui, kun tilausta ei enää voinut maksaa. Saat koko summan takaisin.",
		"Ihre Zahlung kam, als die Bestellung nicht mehr bezahlt werden konnte. Sie erhalten alles zurück."},

	"canceled":     {"Payment canceled", "Betalningen avbröts", "Betalingen ble avbrutt", "Betalingen blev annulleret", "Maksu peruttiin", "Zahlung abgebrochen"},
	"expired":      {"The time to pay is over", "Tiden för att betala är slut", "Tiden for å betale er ute", "Tiden til at betale er udløbet", "Maksuaika on päättynyt", "Die Zeit zum Bezahlen ist abgelaufen"},
	"failed":       {"The payment failed", "Betalningen misslyckades", "Betalingen mislyktes", "Betalingen mislykkedes", "Maksu epäonnistui", "Die Zahlung ist fehlgeschlagen"},
	"rejected":     {"The payment could not be started", "Betalningen kunde inte påbörjas", "Betalingen kunne ikke startes", "Betalingen kunne ikke startes", "Maksua ei voitu aloittaa", "Die Zahlung konnte nicht begonnen werden"},
	"nothing.paid": {"Nothing was paid.", "Inget har betalats.", "Ingenting er betalt.", "Intet er betalt.", "Mitään ei maksettu.", "Es wurde nichts bezahlt."},
	"reversed": {
		"If you had already confirmed the payment, the money comes back by itself.",
		"Om du redan hade godkänt betalningen kommer pengarna tillbaka av sig själva.",
		"Hvis du allerede hadde godkjent betalingen, kommer pengene tilbake av seg selv.",
		"Hvis du allerede havde godkendt betalingen, kommer pengene tilbage af sig selv.",
		"Jos ehdit jo vahvistaa maksun, rahat palautuvat itsestään.",
		"Wenn Sie die Zahlung schon bestätigt hatten, kommt das Geld von selbst zurück."},
	"withdrawn": {"The shop has canceled this order.", "Butiken har avbrutit ordern.", "Butikken har kansellert ordren.", "Butikken har annulleret ordren.", "Kauppa on perunut tilauksen.", "Der Shop hat diese Bestellung storniert."},

	"again":       {"Try again", "Försök igen", "Prøv igjen", "Prøv igen", "Yritä uudelleen", "Noch einmal versuchen"},
	"back":        {"Back to {shop}", "Tillbaka till {shop}", "Tilbake til {shop}", "Tilbage til {shop}", "Takaisin: {shop}", "Zurück zu {shop}"},
	"cancel":      {"Cancel the payment", "Avbryt betalningen", "Avbryt betalingen", "Annuller betalingen", "Peru maksu", "Zahlung abbrechen"},
	"cancel.ask":  {"Cancel this payment?", "Vill du avbryta betalningen?", "Vil du avbryte betalingen?", "Vil du annullere betalingen?", "Perutaanko maksu?", "Diese Zahlung abbrechen?"},
	"cancel.text": {"The code can then not be used any more.", "Koden kan då inte användas längre.", "Koden kan da ikke brukes lenger.", "Koden kan så ikke bruges længere.", "Koodia ei voi enää käyttää sen jälkeen.", "Der Code kann dann nicht mehr verwendet werden."},
	"cancel.yes":  {"Yes, cancel it", "Ja, avbryt", "Ja, avbryt", "Ja, annuller", "Kyllä, peru", "Ja, abbrechen"},
	"cancel.no":   {"No, go on paying", "Nej, fortsätt betala", "Nei, fortsett å betale", "Nej, fortsæt med at betale", "Ei, jatka maksamista", "Nein, weiter bezahlen"},

	"unreachable": {"Checking", "Vi kontrollerar", "Vi sjekker", "Vi tjekker", "Tarkistetaan", "Wird geprüft"},
	"unreachable.text": {
		"We cannot see just now how your payment stands. This page asks again by itself. Do not pay again.",
		"Vi kan inte se just nu hur det är med din betalning. Sidan frågar igen av sig själv. Betala inte en gång till.",
		"Vi kan ikke se akkurat nå hvordan det står til med betalingen. Siden spør igjen av seg selv. Ikke betal en gang til.",
		"Vi kan ikke se lige nu, hvordan det står til med din betaling. Siden spørger igen af sig selv. Betal ikke en gang til.",
		"Emme juuri nyt näe maksusi tilaa. Sivu kysyy uudelleen itsestään. Älä maksa uudelleen.",
		"Wir sehen gerade nicht, wie es um Ihre Zahlung steht. Diese Seite fragt von selbst noch einmal. Bitte bezahlen Sie nicht noch einmal."},
	"offline": {
		"No connection. This page tries again by itself.", "Ingen anslutning. Sidan försöker igen av sig själv.", "Ingen forbindelse. Siden prøver igjen av seg selv.",
		"Ingen forbindelse. Siden prøver igen af sig selv.", "Ei yhteyttä. Sivu yrittää itsestään uudelleen.", "Keine Verbindung. Diese Seite versucht es von selbst noch einmal."},
	"missing": {"This page is not here", "Sidan finns inte", "Denne siden finnes ikke", "Denne side findes ikke", "Sivua ei ole", "Diese Seite gibt es nicht"},
	"missing.text": {
		"The link is not complete or not valid, or the shop has not sent the order yet. This page looks again by itself for a minute.",
		"Länken är inte fullständig eller giltig, eller så har butiken inte skickat ordern än. Sidan tittar efter igen av sig själv under en minut.",
		"Lenken er ikke fullstendig eller gyldig, eller butikken har ikke sendt ordren ennå. Siden ser etter igjen av seg selv i ett minutt.",
		"Linket er ikke fuldstændigt eller gyldigt, eller butikken har ikke sendt ordren endnu. Siden ser efter igen af sig selv i et minut.",
		"Linkki on puutteellinen tai virheellinen, tai kauppa ei ole vielä lähettänyt tilausta. Sivu katsoo minuutin ajan itsestään uudelleen.",
		"Der Link ist unvollständig oder ungültig, oder der Shop hat die Bestellung noch nicht geschickt. Diese Seite sieht eine Minute lang von selbst wieder nach."},
	"returned": {"Go back to the page where you began", "Gå tillbaka till sidan där du började", "Gå tilbake til siden der du begynte", "Gå tilbage til siden, hvor du begyndte", "Palaa sivulle, jolta aloitit", "Gehen Sie zurück zur Seite, auf der Sie begonnen haben"},
	"returned.text": {
		"It shows how your payment went.", "Där står hur det gick med betalningen.", "Der står det hvordan det gikk med betalingen.",
		"Der står, hvordan det gik med betalingen.", "Siellä näkyy, miten maksun kävi.", "Dort steht, wie es um Ihre Zahlung steht."},
	"reload":   {"Look again", "Titta igen", "Se igjen", "Se igen", "Katso uudelleen", "Noch einmal nachsehen"},
	"language": {"Language", "Språk", "Språk", "Sprog", "Kieli", "Sprache"},
}
